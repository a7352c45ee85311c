// An attached thread's side of the tiers: it posts its changes to the opener, which has the tiers,
// and asks it for entries. Made by attachCache. Invariant: a change is counted in shared memory
// before the cache changes, so the opener knows that it is under way.
import { BroadcastChannel } from "node:worker_threads";
import { clearInterval, monotonicMs, setImmediate, setInterval } from "../base/mod.js";
import type { Kernel } from "../kernel/mod.js";
import type { Change } from "./change.js";
import type { FlushDepth, TierEntry } from "./tier.js";
import {
  channelName,
  noRenewal,
  noTurn,
  type ReadKey,
  type RenewalTurn,
  type Subject,
  type TierAccess,
  type ToGuest,
  type ToHost,
  type Turn,
} from "./tier-access.js";
import { openAll, openKey, type TierWords } from "./tier-words.js";

/** Changes under way from which on a thread posts keys without their values. */
export const guestBacklogMax = 65_536;
/** How long a thread waits for the opener, whose event loop may be busy: then a read is a miss. */
export const hostTimeoutMs = 5000;
/** How long a thread that detaches waits for its changes to arrive. */
const leaveMsMax = 1000;
/** The longest wait between two looks at whether the opener is there. */
const lookMs = 100;

interface Question {
  readonly answer: (message: ToGuest | undefined) => void;
  readonly endMs: number;
}

export class TierGuest implements TierAccess {
  readonly #words: TierWords;
  readonly #kernel: Kernel;
  readonly #channel: BroadcastChannel;
  readonly #questions = new Map<number, Question>();
  #tickets: number;
  #looks: NodeJS.Timeout | undefined;

  constructor(words: TierWords, kernel: Kernel, cacheId: string) {
    this.#words = words;
    this.#kernel = kernel;
    // An answer to another thread that had this id is for no question of this one.
    this.#tickets = Math.floor(monotonicMs() * 1000);
    this.#channel = new BroadcastChannel(channelName(cacheId, kernel.thread));
    this.#channel.onmessage = (event) => this.#answered((event as { data: ToGuest }).data);
    this.#channel.unref();
    // Another thread may have died with this id.
    const left = words.takeOpen(kernel.thread);
    if (left !== undefined) this.#post({ kind: "abandon", subject: left.isAll ? "all" : left });
  }

  // ── Changes ─────────────────────────────────────────────────────────────────────────────────

  begin(subject: Subject): void {
    const { thread } = this.#kernel;
    if (subject === "all") this.#words.begin(thread, openAll, 0, 0);
    else this.#words.begin(thread, openKey, subject.hashLow, subject.hashHigh);
  }

  tell(change: Change): void {
    const isCut =
      change.kind === "key" &&
      change.entry !== null &&
      this.#words.underWay(this.#kernel.thread) > guestBacklogMax;
    this.#posted({
      kind: "change",
      change: isCut ? { ...change, entry: null } : change,
      isCut,
    });
  }

  cancel(): void {
    this.#posted({ kind: "cancel" });
  }

  abandon(subject: Subject): void {
    this.#posted({ kind: "abandon", subject });
  }

  #posted(message: ToHost): void {
    this.#post(message);
    this.#words.posted(this.#kernel.thread);
  }

  #post(message: ToHost): void {
    this.#channel.postMessage(message);
  }

  // ── Questions ───────────────────────────────────────────────────────────────────────────────

  async read(keys: readonly ReadKey[]): Promise<readonly (TierEntry | undefined)[]> {
    const own = keys.map(copyOf);
    const answer = await this.#ask((ticket) => ({ kind: "read", ticket, keys: own }));
    return answer?.kind === "entries" ? answer.entries : keys.map(() => undefined);
  }

  async turn(key: ReadKey, waitMs: number): Promise<Turn> {
    const own = copyOf(key);
    const question = (ticket: number): ToHost => ({ kind: "turn", ticket, key: own, waitMs });
    const answer = await this.#ask(question, hostTimeoutMs + waitMs);
    return answer?.kind === "turn" ? answer.turn : noTurn;
  }

  async renew(key: ReadKey, since: number, waitMs: number): Promise<RenewalTurn> {
    const own = copyOf(key);
    const question = (ticket: number): ToHost => {
      return { kind: "renew", ticket, key: own, since, waitMs };
    };
    const answer = await this.#ask(question, hostTimeoutMs + waitMs);
    return answer?.kind === "renewal" ? answer.turn : noRenewal;
  }

  release(key: ReadKey, token: string): void {
    this.#post({ kind: "release", key: copyOf(key), token });
  }

  countDamage(): void {
    this.#post({ kind: "damage" });
  }

  async flush(depth: FlushDepth): Promise<boolean> {
    const answer = await this.#ask((ticket) => ({ kind: "flush", ticket, depth }), Infinity);
    return answer?.kind === "flushed" && answer.isDone;
  }

  #ask(
    question: (ticket: number) => ToHost,
    timeoutMs: number = hostTimeoutMs,
  ): Promise<ToGuest | undefined> {
    const ticket = ++this.#tickets;
    return new Promise((resolve) => {
      this.#questions.set(ticket, { answer: resolve, endMs: monotonicMs() + timeoutMs });
      // Also keeps the process alive: the channel does not.
      this.#looks ??= setInterval(() => this.#look(), lookMs);
      this.#post(question(ticket));
    });
  }

  #answered(message: ToGuest): void {
    this.#end(message.ticket, message);
  }

  #end(ticket: number, message: ToGuest | undefined): void {
    const question = this.#questions.get(ticket);
    this.#questions.delete(ticket);
    if (this.#questions.size === 0) {
      clearInterval(this.#looks);
      this.#looks = undefined;
    }
    question?.answer(message);
  }

  #look(): void {
    const now = monotonicMs();
    const isClosed = !this.#kernel.control.isOpen();
    for (const [ticket, { endMs }] of this.#questions) {
      if (isClosed || now > endMs) this.#end(ticket, undefined);
    }
  }

  async close(): Promise<number> {
    const endMs = monotonicMs() + leaveMsMax;
    const isOpen = (): boolean => this.#kernel.control.isOpen() && monotonicMs() < endMs;
    while (this.#words.underWay(this.#kernel.thread) > 0 && isOpen()) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const ticket of Array.from(this.#questions.keys())) this.#end(ticket, undefined);
    this.#channel.close();
    return 0;
  }
}

/** A copy: bytes of a pool would be cloned with all of it. */
function copyOf({ namespace, key, hashLow, hashHigh }: ReadKey): ReadKey {
  return { namespace, key: new Uint8Array(key), hashLow, hashHigh };
}
