// The opener's side of the tiers: it alone calls them, for every thread. Made by openCache.
// Invariants: the changes of one key reach the tiers in the order in which the cache made them;
// while a change of any thread is under way to here, no answer of a tier is used.
import { BroadcastChannel } from "node:worker_threads";
import { monotonicMs, setImmediate, type UndercroftError } from "../base/mod.js";
import { codes, deadHolderOf, holderOf, type Kernel } from "../kernel/mod.js";
import { type Change, idOf, namesOf } from "./change.js";
import type { Seals } from "./envelope.js";
import { RecentChanges } from "./recent-changes.js";
import type { Tier, TierEntry, TierInvalidation } from "./tier.js";
import {
  channelName,
  type ReadKey,
  type Subject,
  type TierAccess,
  type ToGuest,
  type ToHost,
} from "./tier-access.js";
import { TierLink } from "./tier-link.js";
import type { TierWords } from "./tier-words.js";

/** How long a read waits for changes under way; then it is a miss. */
export const settleMsMax = 250;
/** The most keys that dead threads left open and that are not taken from the tiers any more. */
export const abandonedMax = 65_536;

export interface HostParts {
  readonly kernel: Kernel;
  readonly cacheId: string;
  readonly now: () => number;
  readonly seals: Seals;
  readonly down: (tier: string, error: UndercroftError) => void;
  readonly up: (tier: string) => void;
  readonly failed: (error: UndercroftError) => void;
  /** Ends entries in memory and on disk, which others have ended in a tier. */
  readonly invalidate: (change: TierInvalidation) => void;
}

export class TierHost implements TierAccess {
  readonly #links: readonly TierLink[];
  readonly #words: TierWords;
  readonly #kernel: Kernel;
  readonly #seals: Seals;
  readonly #recent = new RecentChanges();
  #mark: Int32Array;
  readonly #abandoned = new Set<string>();
  readonly #channels: readonly BroadcastChannel[];
  readonly #subscriptions: readonly (() => void)[];

  constructor(tiers: readonly Tier[], words: TierWords, parts: HostParts) {
    const { kernel, cacheId, now, seals, invalidate } = parts;
    this.#words = words;
    this.#kernel = kernel;
    this.#seals = seals;
    this.#mark = words.sent();
    this.#links = tiers.map((tier) => new TierLink(tier, words, now, parts));
    this.#channels = Array.from({ length: codes.userThreadsMax }, (_, thread) =>
      this.#listen(cacheId, thread),
    );
    this.#subscriptions = tiers.flatMap((tier, index) => {
      const end = tier.subscribe?.((change) => {
        this.#links[index]?.interrupt();
        invalidate(change);
      });
      return end === undefined ? [] : [end];
    });
  }

  // ── Changes ─────────────────────────────────────────────────────────────────────────────────

  begin(): void {
    // The opener tells itself before anyone can ask it.
  }

  cancel(): void {
    // As for begin.
  }

  tell(change: Change): void {
    const isQuiet = this.#words.busyThreads().length === 0;
    if (isQuiet) this.#recent.clear();
    if (change.kind === "void") {
      if (!isQuiet) this.#recent.noteVoid(change.names, change.sequence);
      for (const link of this.#links) link.add(change);
      return;
    }
    const id = idOf(change);
    if (this.#recent.isOld(id, change.change)) return;
    if (!isQuiet) this.#recent.note(id, change.change);
    const { entry, sequence } = change;
    const isVoid = entry !== null && this.#recent.isVoid(namesOf(change, entry.tags), sequence);
    if (entry !== null) this.#seals.seal(change, entry);
    for (const link of this.#links) link.add(isVoid ? { ...change, entry: null } : change);
  }

  abandon(subject: Subject): void {
    if (subject !== "all") this.#abandoned.add(hashOf(subject));
    if (subject !== "all" && this.#abandoned.size <= abandonedMax) return;
    for (const link of this.#links) link.lose();
  }

  // ── Attached threads ────────────────────────────────────────────────────────────────────────

  #listen(cacheId: string, thread: number): BroadcastChannel {
    const channel = new BroadcastChannel(channelName(cacheId, thread));
    channel.onmessage = (event) => {
      const { data } = event as { readonly data: ToHost };
      void this.#take(data, thread, (answer) => channel.postMessage(answer));
    };
    channel.unref();
    return channel;
  }

  async #take(message: ToHost, thread: number, answer: (message: ToGuest) => void): Promise<void> {
    switch (message.kind) {
      case "change":
        if (message.isCut) this.#words.add("dropped", 1);
        this.tell(message.change);
        break;
      case "abandon":
        this.abandon(message.subject);
        break;
      case "cancel":
        break;
      case "damage":
        this.countDamage();
        return;
      case "read":
        answer({
          kind: "entries",
          ticket: message.ticket,
          entries: await this.read(message.keys),
        });
        return;
      case "flush":
        answer({ kind: "flushed", ticket: message.ticket, isDone: await this.flush() });
        return;
    }
    this.#words.received(thread);
    // What was noted before the mark is older than all that is still under way.
    if (this.#recent.isEmpty || !this.#words.hasReceived(this.#mark)) return;
    this.#recent.turn();
    this.#mark = this.#words.sent();
  }

  /** Resolves when every change that any thread has begun has arrived; false if that takes too
   *  long. */
  #settled(): boolean | Promise<boolean> {
    return this.#words.busyThreads().length === 0 || this.#settle(this.#words.sent());
  }

  async #settle(sent: Int32Array): Promise<boolean> {
    const endMs = monotonicMs() + settleMsMax;
    while (!this.#words.hasReceived(sent)) {
      for (const thread of this.#words.busyThreads()) this.#recoverIfDead(thread);
      if (monotonicMs() > endMs) return false;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return true;
  }

  /** A thread that died between a change of the cache and its message: what it changed is not taken
   *  from the tiers any more. What it had posted arrives. */
  #recoverIfDead(thread: number): void {
    const isDead =
      holderOf(this.#kernel, thread) === null || deadHolderOf(this.#kernel, thread, true) !== null;
    const left = isDead ? this.#words.takeOpen(thread) : undefined;
    if (left === undefined) return;
    this.abandon(left.isAll ? "all" : left);
    this.#words.received(thread);
  }

  // ── Reads and ends ──────────────────────────────────────────────────────────────────────────

  async read(keys: readonly ReadKey[]): Promise<readonly (TierEntry | undefined)[]> {
    const found: (TierEntry | undefined)[] = keys.map(() => undefined);
    for (const link of this.#links) {
      const open = keys.flatMap((key, index) => {
        const isWanted = found[index] === undefined && !this.#abandoned.has(hashOf(key));
        return isWanted ? [{ key, index }] : [];
      });
      if (open.length === 0) break;
      const asked = open.map(({ key }) => key);
      const entries = await link.read(asked, () => this.#settled());
      for (const [position, { index, key }] of open.entries()) {
        // A thread may have been found dead meanwhile.
        if (!this.#abandoned.has(hashOf(key))) found[index] = this.#intact(key, entries[position]);
      }
    }
    const hits = found.filter((entry) => entry !== undefined).length;
    this.#words.add("hits", hits);
    this.#words.add("misses", keys.length - hits);
    return found;
  }

  #intact(key: ReadKey, entry: TierEntry | undefined): TierEntry | undefined {
    if (entry === undefined || this.#seals.isIntact(key, entry)) return entry;
    this.countDamage();
    return undefined;
  }

  countDamage(): void {
    this.#words.add("corrupt", 1);
  }

  async flush(): Promise<boolean> {
    const hasAll = await this.#settled();
    const flushed = await Promise.all(this.#links.map((link) => link.flush()));
    return hasAll && flushed.every(Boolean);
  }

  async close(): Promise<number> {
    for (const end of this.#subscriptions) end();
    await this.#settled();
    for (const channel of this.#channels) channel.close();
    const left = await Promise.all(this.#links.map((link) => link.close()));
    return left.reduce((sum, count) => sum + count, 0);
  }
}

function hashOf({ hashLow, hashHigh }: { hashLow: number; hashHigh: number }): string {
  return `${hashLow >>> 0}:${hashHigh >>> 0}`;
}
