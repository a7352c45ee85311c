// The opener's side of the tiers: it alone calls them, for every thread. Made by openCache.
// Invariants: the changes of one key reach the tiers in the order in which the cache made them;
// while a change of any thread is under way to here, no answer of a tier is used.
import { randomUUID } from "node:crypto";
import { BroadcastChannel } from "node:worker_threads";
import {
  clearTimeout,
  monotonicMs,
  setImmediate,
  setTimeout,
  UndercroftError,
} from "../../base/mod.js";
import { codes, deadHolderOf, holderOf, type Kernel } from "../../kernel/mod.js";
import { type Change, idOf, namesEndedBy, namesOf } from "../change.js";
import type { Seals } from "../envelope.js";
import { RecentChanges } from "./recent-changes.js";
import type { FlushDepth, Tier, TierEntry, TierInvalidation } from "../tier.js";
import {
  channelName,
  noRenewal,
  type ReadKey,
  type RenewalTurn,
  type Subject,
  type TierAccess,
  type ToGuest,
  type ToHost,
  type Turn,
  turnWaitMsMax,
} from "../tier-access.js";
import { KeyWatch, type Watch } from "./key-watch.js";
import { TierLink } from "./tier-link.js";
import type { TierWords } from "../tier-words.js";

/** How long a read waits for changes under way; then it is a miss. */
export const settleMsMax = 250;
/** The most keys that dead threads left open and that are not taken from the tiers any more. */
export const abandonedMax = 65_536;

/** The most leases that are remembered until they are released. */
export const leasesMax = 65_536;
/** How long `openCache` waits for tiers until they hear of others. */
export const contactMsMax = 1000;

/** The numbers of a change of the cache (change.ts). */
export interface Numbered {
  readonly change: number;
  readonly sequence: number;
}

export interface HostParts {
  readonly kernel: Kernel;
  readonly cacheId: string;
  readonly now: () => number;
  readonly seals: Seals;
  readonly down: (tier: string, error: UndercroftError) => void;
  readonly up: (tier: string) => void;
  readonly failed: (error: UndercroftError) => void;
  /** Ends entries in memory and on disk, which others have ended in a tier. Undefined if the cache
   *  is closed. */
  readonly invalidate: (change: TierInvalidation) => Numbered | undefined;
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
  readonly #subscriptions: (() => void)[] = [];
  readonly #invalidate: HostParts["invalidate"];
  readonly #failed: HostParts["failed"];
  readonly #watches = new KeyWatch();
  /** The leases that were given and not released, by their token. */
  readonly #leases = new Map<string, TierLink>();
  #isClosed = false;

  constructor(tiers: readonly Tier[], words: TierWords, parts: HostParts) {
    const { kernel, cacheId, now, seals, invalidate, failed } = parts;
    this.#failed = failed;
    this.#words = words;
    this.#kernel = kernel;
    this.#seals = seals;
    this.#invalidate = invalidate;
    this.#mark = words.sent();
    this.#links = tiers.map((tier) => new TierLink(tier, words, now, parts));
    this.#channels = Array.from({ length: codes.userThreadsMax }, (_, thread) =>
      this.#listen(cacheId, thread),
    );
  }

  /** Begins to listen to the tiers. Resolves when all hear of others, or after a while. */
  async listen(tiers: readonly Tier[]): Promise<void> {
    const contacts = tiers.map((tier, index) => this.#subscribe(tier, index));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, contactMsMax);
    });
    await Promise.race([Promise.all(contacts), late]);
    clearTimeout(timer);
  }

  /** Never rejects: a tier that cannot is one that does not hear of others. */
  async #subscribe(tier: Tier, index: number): Promise<void> {
    const link = this.#links[index] as TierLink;
    try {
      const end = await tier.subscribe?.({
        ended: (change) => this.#ended(index, change),
        freed: (key) => this.#watches.freed(key),
        touched: (error) => link.touched(error),
      });
      if (end === undefined) return;
      if (this.#isClosed) end();
      else this.#subscriptions.push(end);
    } catch (cause) {
      link.touched(cause instanceof Error ? cause : new Error(String(cause)));
    }
  }

  /** Others have changed a tier. First here: what a thread set before and tells later is older. */
  #ended(index: number, change: TierInvalidation): void {
    this.#words.add("ended", 1);
    const numbered = this.#invalidate(change);
    if (numbered === undefined) return;
    const names = namesEndedBy(change);
    if (this.#words.busyThreads().length > 0) {
      if (change.kind === "delete") this.#recent.note(idOf(change), numbered.change);
      else this.#recent.noteVoid(names, numbered.sequence);
    }
    const told: Change =
      change.kind === "delete"
        ? { ...change, ...numbered, kind: "key", hashLow: 0, hashHigh: 0, entry: null }
        : { kind: "void", names, sequence: numbered.sequence };
    for (const [at, link] of this.#links.entries()) {
      if (at === index) link.ended(change);
      else link.add(told);
    }
    this.#watches.ended(change);
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
      case "turn": {
        const { ticket, key, waitMs } = message;
        answer({ kind: "turn", ticket, turn: await this.turn(key, waitMs) });
        return;
      }
      case "renew": {
        const { ticket, key, since, waitMs } = message;
        answer({ kind: "renewal", ticket, turn: await this.renew(key, since, waitMs) });
        return;
      }
      case "release":
        this.release(message.key, message.token);
        return;
      case "flush":
        answer({
          kind: "flushed",
          ticket: message.ticket,
          isDone: await this.flush(message.depth),
        });
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

  async turn(key: ReadKey, waitMs: number): Promise<Turn> {
    const watch = this.#watches.watch(key);
    const token = randomUUID();
    let asked: TierLink | undefined;
    let [isGiven, othersMs] = [false, 0];
    let entry: TierEntry | undefined;
    for (const link of this.#abandoned.has(hashOf(key)) ? [] : this.#links) {
      const settled = (): boolean | Promise<boolean> => this.#settled();
      if (asked === undefined && link.hasLeases) {
        asked = link;
        const asks = (tier: Tier, now: number) => tier.lease?.(key, token, now);
        const answer = await link.askOne(key, settled, asks);
        entry = answer.entry;
        [isGiven, othersMs] = [answer.told?.isGiven ?? false, answer.told?.waitMs ?? 0];
      } else [entry] = await link.read([key], settled);
      entry = this.#abandoned.has(hashOf(key)) ? undefined : this.#intact(key, entry);
      if (entry !== undefined) break;
    }
    this.#words.add(entry === undefined ? "misses" : "hits", 1);
    const isOthers = await this.#await(watch, othersMs, waitMs);
    if (!isGiven || asked === undefined) return { entry, token: undefined, isOthers };
    this.#hold(token, asked);
    return { entry, token, isOthers };
  }

  async renew(key: ReadKey, since: number, waitMs: number): Promise<RenewalTurn> {
    const isAbandoned = (): boolean => this.#abandoned.has(hashOf(key));
    const link = this.#links.find(({ hasRenewals }) => hasRenewals);
    if (link === undefined || isAbandoned()) return noRenewal;
    const watch = this.#watches.watch(key);
    const token = randomUUID();
    await link.flush(); // what waits of the key would be the answer
    const ask = (tier: Tier) => tier.renew?.(key, token, since);
    const answer = await link.askOne(key, () => this.#settled(), ask);
    const { told } = answer;
    const isOthers = await this.#await(watch, told?.waitMs ?? 0, waitMs);
    if (told === undefined) return noRenewal;
    const found = told.entry === undefined || isAbandoned() ? undefined : answer.entry;
    const entry = this.#intact(key, found);
    if (told.isGiven) this.#hold(token, link);
    return { entry, token: told.isGiven ? token : undefined, isOthers, mark: told.mark };
  }

  /** Waits while another loads the key. Answers whether one does. */
  async #await(watch: Watch, othersMs: number, waitMs: number): Promise<boolean> {
    const isOthers = othersMs > 0;
    if (isOthers) {
      this.#words.add("waited", 1);
      if (waitMs > 0) await watch.until(Math.min(othersMs, waitMs, turnWaitMsMax));
    }
    watch.end();
    return isOthers;
  }

  /** A thread that dies does not release: the lease ends by itself, and is forgotten here later. */
  #hold(token: string, link: TierLink): void {
    this.#words.add("leased", 1);
    this.#leases.set(token, link);
    if (this.#leases.size <= leasesMax) return;
    const [oldest] = this.#leases.keys();
    this.#leases.delete(oldest as string);
  }

  release(key: ReadKey, token: string): void {
    const link = this.#leases.get(token);
    this.#leases.delete(token);
    void link?.release(key, token);
  }

  #intact(key: ReadKey, entry: TierEntry | undefined): TierEntry | undefined {
    if (entry === undefined || this.#seals.isIntact(key, entry)) return entry;
    this.countDamage();
    return undefined;
  }

  countDamage(): void {
    this.#words.add("corrupt", 1);
  }

  async flush(depth: FlushDepth): Promise<boolean> {
    const hasAll = await this.#settled();
    const flushed = await Promise.all(this.#links.map((link) => this.#settleLink(link, depth)));
    return hasAll && flushed.every(Boolean);
  }

  async #settleLink(link: TierLink, depth: FlushDepth): Promise<boolean> {
    try {
      return await link.settle(depth);
    } catch (cause) {
      const isOurs = cause instanceof UndercroftError;
      this.#failed(isOurs ? cause : new UndercroftError("ERR_TIER", String(cause)));
      return false;
    }
  }

  async close(): Promise<number> {
    this.#isClosed = true;
    for (const end of this.#subscriptions) end();
    this.#watches.wakeAll();
    await this.#settled();
    for (const channel of this.#channels) channel.close();
    const left = await Promise.all(this.#links.map((link) => link.close()));
    return left.reduce((sum, count) => sum + count, 0);
  }
}

function hashOf({ hashLow, hashHigh }: { hashLow: number; hashHigh: number }): string {
  return `${hashLow >>> 0}:${hashHigh >>> 0}`;
}
