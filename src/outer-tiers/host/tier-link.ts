// One tier as the opener drives it: what it has not made yet, whether it is up, and its retries.
// Called by TierHost. Invariants: one `apply` is under way at a time, also after one that is late;
// what the tier answers is used only if no change of the key has come since it was asked.
import {
  clearTimeout,
  describe,
  setImmediate,
  setTimeout,
  UndercroftError,
} from "../../base/mod.js";
import { type Change, idOf, type KeyChange, namesEndedBy, namesOf } from "../change.js";
import type { FlushDepth, Tier, TierEntry, TierInvalidation, TierKey, TierTurn } from "../tier.js";
import { inTime, lateError, tierTimeoutMs } from "./answer-time.js";
import { TierQueue } from "./tier-queue.js";
import type { TierWords } from "../tier-words.js";

/** The wait before a tier that failed is tried again: doubled each time, up to the most. */
export const retryMsMin = 100;
export const retryMsMax = 30_000;
/** The most keys that a tier is asked for at a time; beyond, a read is a miss. */
export const readKeysMax = 65_536;
/** The most leases that wait to be released while a tier is down; others end by themselves. */
const owedMax = 65_536;
/** How often a tier is asked for a key that others change at the same time; then it is a miss. */
export const readTriesMax = 3;

/** What a link tells. */
export interface LinkEvents {
  readonly down: (tier: string, error: UndercroftError) => void;
  readonly up: (tier: string) => void;
  readonly failed: (error: UndercroftError) => void;
}

/** Keys that the tier was asked for, and what has changed since. */
interface Reading {
  readonly ids: ReadonlySet<string>;
  readonly changed: Map<string, KeyChange>;
  /** Keys that others have changed. */
  readonly ended: Set<string>;
  /** The names (change.ts) that were ended since, or whose end the tier has made since. */
  readonly names: string[];
}

type Ask = (keys: readonly TierKey[]) => ReturnType<Tier["getMany"]>;

export class TierLink {
  readonly #tier: Tier;
  readonly #words: TierWords;
  readonly #events: LinkEvents;
  readonly #now: () => number;
  readonly #queue = new TierQueue();
  readonly #readings = new Set<Reading>();
  readonly #flushes = new Set<() => void>();
  /** Leases to be released once the tier is up, by their tokens. */
  readonly #owed = new Map<string, TierKey>();
  /** Its calls work. */
  #isUp = true;
  /** It hears of others. */
  #isInTouch = true;
  /** As `tier-down` and `tier-up` have told. */
  #isTold = true;
  #readKeys = 0;
  /** What waited was lost, so nothing is taken from the tier. */
  #isLost = false;
  #isDraining = false;
  /** A call is under way for longer than it may take. */
  #isLate = false;
  #isClosed = false;
  #pending = 0;
  #retryMs = retryMsMin;
  #retry: NodeJS.Timeout | undefined;

  constructor(tier: Tier, words: TierWords, now: () => number, events: LinkEvents) {
    this.#tier = tier;
    this.#words = words;
    this.#now = now;
    this.#events = events;
  }

  // ── Changes ─────────────────────────────────────────────────────────────────────────────────

  add(change: Change): void {
    if (this.#isLost || this.#isClosed) return;
    const isKey = change.kind === "key";
    const outcome = isKey ? this.#queue.add(change) : this.#queue.addVoid(change);
    if (outcome === "dropped") this.#words.add("dropped", 1);
    for (const reading of this.#readings) {
      if (isKey) {
        const id = idOf(change);
        if (reading.ids.has(id)) reading.changed.set(id, this.#queue.find(id) ?? change);
      } else reading.names.push(...change.names);
    }
    this.#gauge();
    if (outcome === "full") this.lose();
    else if (this.#isUp && !this.#isDraining) this.#drainSoon();
  }

  /** Others have changed the tier: what it is being asked for, and what waits for it, may be
   *  older. */
  ended(change: TierInvalidation): void {
    const id = change.kind === "delete" ? idOf(change) : undefined;
    const names = namesEndedBy(change);
    this.#queue.endOthers(id, names);
    for (const reading of this.#readings) {
      if (id !== undefined && reading.ids.has(id)) reading.ended.add(id);
      reading.names.push(...names);
    }
    this.#gauge();
    if (this.#queue.size > 0 && this.#isUp && !this.#isDraining) this.#drainSoon();
  }

  /** Whether the tier hears of others; if not it is not read, but still told of changes. */
  touched(error: Error | null): void {
    if (this.#isClosed) return;
    this.#isInTouch = error === null;
    if (error !== null) {
      const text =
        `Cannot read tier ${describe(this.#tier.name)}: ${error.message}; ` +
        "the cache goes on without it";
      this.#goDown(new UndercroftError("ERR_TIER", text, { cause: error }));
      return;
    }
    if (!this.#isUp && !this.#isDraining) void this.#drain();
    this.#comeUp(this.#isUp);
  }

  /** A change was lost, or there is no room for it: what the tier has of its key is old, so nothing
   *  it has can be used any more. */
  lose(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#words.add("dropped", this.#queue.size + 1);
    this.#queue.drop();
    this.#gauge();
    const text =
      `Cannot keep the changes for tier ${describe(this.#tier.name)}: ` +
      "some were lost, or too many wait; it is not used until the cache is opened again, " +
      "and may have older values then: clear it";
    this.#events.failed(new UndercroftError("ERR_TIER", text));
    this.#settleFlushes();
  }

  #gauge(): void {
    this.#words.add("pending", this.#queue.size - this.#pending);
    this.#pending = this.#queue.size;
  }

  #drainSoon(): void {
    this.#isDraining = true;
    // In the next turn, so that what is written in this one is one batch.
    setImmediate(() => void this.#drain());
  }

  /** Makes what waits, batch after batch, until nothing does or the tier fails. Never rejects. */
  async #drain(): Promise<void> {
    this.#isDraining = true;
    clearTimeout(this.#retry);
    let hasFailed = false;
    while (!hasFailed && (this.#queue.size > 0 || !this.#isUp)) {
      hasFailed = !(await this.#step());
      this.#gauge();
      if (!hasFailed) this.#comeUp(true);
      this.#settleFlushes();
    }
    this.#isDraining = false;
    this.#settleFlushes();
    if (hasFailed && !this.#isClosed) this.#retryLater();
  }

  /** One batch; if nothing waits, asks how the tier is. False if it failed. */
  async #step(): Promise<boolean> {
    const late = setTimeout(() => this.#beLate(), tierTimeoutMs).unref();
    const changes = this.#queue.size > 0 ? this.#queue.take() : [];
    try {
      if (changes.length === 0) await this.#tier.health();
      else await this.#tier.apply(changes, this.#now());
      // What is being read may have been read before.
      for (const { names } of this.#readings) names.push(...this.#queue.making());
      this.#queue.made();
      this.#words.add("written", changes.length);
      return true;
    } catch (cause) {
      this.#queue.failed();
      this.#fail(cause);
      return false;
    } finally {
      clearTimeout(late);
      this.#isLate = false;
    }
  }

  #beLate(): void {
    this.#isLate = true;
    this.#isUp = false;
    this.#goDown(lateError(this.#tier.name));
    this.#settleFlushes();
  }

  // ── Up and down ─────────────────────────────────────────────────────────────────────────────

  #fail(cause: unknown): void {
    const { name } = this.#tier;
    const why = cause instanceof Error ? cause.message : describe(cause);
    const text = `Cannot use tier ${describe(name)}: ${why}; the cache goes on without it`;
    this.#isUp = false;
    this.#goDown(new UndercroftError("ERR_TIER", text, { cause }));
  }

  #goDown(error: UndercroftError): void {
    this.#words.add("errors", 1);
    if (!this.#isTold) return;
    this.#isTold = false;
    this.#words.add("down", 1);
    this.#events.down(this.#tier.name, error);
  }

  #comeUp(isUp: boolean): void {
    this.#isUp = isUp;
    if (isUp) {
      this.#retryMs = retryMsMin;
      for (const [token, key] of this.#owed) void this.release(key, token);
      this.#owed.clear();
    }
    if (this.#isTold || !isUp || !this.#isInTouch) return;
    this.#isTold = true;
    this.#words.add("down", -1);
    this.#events.up(this.#tier.name);
  }

  #retryLater(): void {
    this.#retry = setTimeout(() => void this.#drain(), this.#retryMs).unref();
    this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax);
  }

  // ── Reads ───────────────────────────────────────────────────────────────────────────────────

  /** The entries of keys: what waits for the tier, else what it has. `settled` resolves when every
   *  change that any thread had begun has arrived here, false if that takes too long. */
  async read(
    keys: readonly TierKey[],
    settled: () => boolean | Promise<boolean>,
    ask: Ask = (asked) => this.#tier.getMany(asked, this.#now()),
  ): Promise<(TierEntry | undefined)[]> {
    const none = keys.map(() => undefined);
    if (this.#isLost || this.#isClosed) return none;
    if (this.#readKeys + keys.length > readKeysMax) {
      this.#words.add("refused", keys.length);
      return none;
    }
    this.#readKeys += keys.length;
    const found = await this.#readOnce(keys, settled, ask);
    // What others changed meanwhile may be older than that, or newer: asked again, it is not older.
    for (let tries = 1; tries < readTriesMax && found.includes("ended"); tries++) {
      const again = Array.from(found.keys()).filter((index) => found[index] === "ended");
      const asked = again.map((index) => keys[index] as TierKey);
      const answers = await this.#readOnce(asked, settled, ask);
      for (const [at, index] of again.entries()) found[index] = answers[at];
    }
    this.#readKeys -= keys.length;
    return found.map((entry) => (entry === "ended" ? undefined : entry));
  }

  /** "ended": others have changed the key since the tier was asked. Never rejects. */
  async #readOnce(
    keys: readonly TierKey[],
    settled: () => boolean | Promise<boolean>,
    ask: Ask,
  ): Promise<(TierEntry | "ended" | undefined)[]> {
    const ids = keys.map(idOf);
    const names = this.#queue.names();
    const reading: Reading = { ids: new Set(ids), changed: new Map(), ended: new Set(), names };
    this.#readings.add(reading);
    try {
      const asked = keys.filter((_, index) => this.#queue.find(ids[index] as string) === undefined);
      const answers = asked.length === 0 || !this.#isReadable ? [] : await this.#ask(asked, ask);
      const found = new Map(asked.map((key, index) => [idOf(key), answers[index]]));
      // It may turn out meanwhile that a thread died with changes that nobody knows.
      if (!(await settled()) || this.#isLost) return keys.map(() => undefined);
      return keys.map((key, index) => {
        const id = ids[index] as string;
        const change = this.#queue.find(id) ?? reading.changed.get(id);
        const entry = change === undefined ? found.get(id) : change.entry;
        if (entry === undefined || entry === null) return undefined;
        const own = namesOf(key, entry.tags);
        if (reading.ended.has(id) || names.some((name) => own.includes(name))) return "ended";
        return change === undefined && this.#queue.deletes(own) ? undefined : entry;
      });
    } finally {
      this.#readings.delete(reading);
    }
  }

  get #isReadable(): boolean {
    return this.#isUp && this.#isInTouch;
  }

  /** Whether loads of a key take turns over all who share the tier. */
  get hasLeases(): boolean {
    return this.#tier.lease !== undefined && this.#isReadable && !this.#isLost && !this.#isClosed;
  }

  /** Whether loads of what is fresh take turns too. */
  get hasRenewals(): boolean {
    return this.hasLeases && this.#tier.renew !== undefined;
  }

  /** As `read` of one key, by another question. Answers also what it told, if it was asked. */
  async askOne<T extends TierTurn>(
    key: TierKey,
    settled: () => boolean | Promise<boolean>,
    ask: (tier: Tier, now: number) => T | undefined | Promise<T | undefined>,
  ): Promise<{ readonly entry: TierEntry | undefined; readonly told: T | undefined }> {
    let told: T | undefined;
    const [entry] = await this.read([key], settled, async () => {
      told = await ask(this.#tier, this.#now());
      return [told?.entry];
    });
    return { entry, told };
  }

  /** Once the tier has made what was told so far, others may load the key again. */
  async release(key: TierKey, token: string): Promise<void> {
    await this.flush();
    if (!this.#isUp) {
      if (this.#owed.size < owedMax) this.#owed.set(token, key);
      return;
    }
    try {
      await this.#tier.release?.(key, token);
    } catch (cause) {
      this.#failRead(cause);
    }
  }

  /** What the tier answers, nothing if it fails. */
  async #ask(keys: readonly TierKey[], ask: Ask): Promise<readonly (TierEntry | undefined)[]> {
    try {
      const answer = ask(keys);
      return answer instanceof Promise ? await inTime(answer, this.#tier.name) : answer;
    } catch (cause) {
      this.#failRead(cause);
      return [];
    }
  }

  #failRead(cause: unknown): void {
    const wasUp = this.#isUp;
    this.#fail(cause);
    // Of many reads that fail at once one begins the retries.
    if (wasUp && !this.#isDraining && !this.#isClosed) this.#retryLater();
  }

  // ── Ends ────────────────────────────────────────────────────────────────────────────────────

  /** Resolves when the tier has made what has been told so far; false if it is down, or lost
   *  some. */
  async flush(): Promise<boolean> {
    const { ticket } = this.#queue;
    const isOver = (): boolean =>
      this.#isLost ||
      this.#isLate ||
      (!this.#isUp && !this.#isDraining) ||
      this.#queue.hasMade(ticket);
    if (!this.#isUp && !this.#isDraining && !this.#isClosed) {
      clearTimeout(this.#retry);
      await this.#drain();
    }
    while (!isOver()) await new Promise<void>((resolve) => this.#flushes.add(resolve));
    return !this.#isLost && this.#queue.hasMade(ticket);
  }

  /** As `flush`, and what the tier itself does for it. Rejects with what it cannot do. */
  async settle(depth: FlushDepth): Promise<boolean> {
    const isMade = await this.flush();
    if (isMade) await this.#tier.flush?.(depth);
    return isMade;
  }

  #settleFlushes(): void {
    const waiting = Array.from(this.#flushes);
    this.#flushes.clear();
    for (const resolve of waiting) resolve();
  }

  /** Makes what waits, once more if the tier is down, and closes the tier. Answers how many changes
   *  it has not made. */
  async close(): Promise<number> {
    await this.flush();
    this.#isClosed = true;
    clearTimeout(this.#retry);
    const left = this.#queue.size;
    this.#settleFlushes();
    try {
      await this.#tier.close?.();
    } catch (cause) {
      this.#fail(cause);
    }
    return left;
  }
}
