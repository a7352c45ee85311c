// Judges a history: could one register per key, which may lose its value at any moment, have
// answered every read as it was answered? Values are unique, so the test of Gibbons and Korach
// ("Testing shared memories", SIAM J. Comput. 26, 1997) is exact for sets and reads, and takes
// linear time. Called by the campaign and by hand-made histories.
//
// The operations of one value, its write and its reads, are a cluster. Its zone lies between the
// first end and the last begin in it. If the end comes first, the zone is forward: the value was
// there all that time. Otherwise all operations of the cluster overlap and may have happened at one
// moment within the zone, which is then backward. An order exists if and only if no two forward
// zones of a key overlap, no backward zone lies within a forward one, and no read ended before its
// write began. A miss is always allowed, so it is no operation. A delete is a write that nobody
// reads; a clear is one for every key, and a deletion by tag one for every value with the tag.
//
// A fill (the value a loader brought) has a stricter rule: it is as old as the moment its loader
// was called. So a write that began later and has returned hides it from every read that begins
// afterwards, and from every fetch that joins. If the fetch itself got another answer, its loader
// ran for others, which refused that answer, maybe later: then only reads tell when it was stored.
import {
  atBegin,
  atDeadline,
  atEnd,
  atKey,
  atKind,
  atLoad,
  atTag,
  atTime,
  atValue,
  kindClear,
  kindDelete,
  kindDeleteByTag,
  kindFetch,
  kindRead,
  kindRefused,
  kindSet,
  kindUpdate,
  recordWords,
  type Round,
  ticketsMax,
} from "./operations.js";

/** Later than every ticket. */
const never = 2 ** 31 - 1;
/** Faults reported per round; more are only counted. */
const toldMax = 20;
/** A value may be served this many microseconds after its end: the clocks of two threads differ by
 *  less. */
const precisionUs = 1000;

/** By kind. */
const kindNames = [
  "?",
  "set",
  "refused set",
  "delete",
  "deleteByTag",
  "clear",
  "read",
  "fetch",
  "update",
];

/** What was found in a round. */
export interface Verdict {
  readonly operations: number;
  readonly reads: number;
  readonly misses: number;
  readonly writes: number;
  readonly fills: number;
  /** Deletions by tag that have returned. */
  readonly byTag: number;
  readonly faults: number;
  /** The first faults, one line each. */
  readonly told: readonly string[];
}

/** Intervals in which something was removed. Finds one that lies within a zone in logarithmic
 *  time. */
class Removals {
  readonly #begins: number[] = [];
  readonly #ends: number[] = [];
  #sorted: { readonly begin: number; readonly leastEnd: number }[] | undefined;

  add(begin: number, end: number): void {
    this.#begins.push(begin);
    this.#ends.push(end);
  }

  /** Whether one began after `from` and ended before `to`. */
  within(from: number, to: number): boolean {
    const sorted = (this.#sorted ??= this.#sort());
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle]?.begin ?? never) > from) high = middle;
      else low = middle + 1;
    }
    return (sorted[low]?.leastEnd ?? never) < to;
  }

  #sort(): { readonly begin: number; readonly leastEnd: number }[] {
    const sorted = this.#begins
      .map((begin, index) => ({ begin, leastEnd: this.#ends[index] as number }))
      .sort((left, right) => left.begin - right.begin);
    let least = never;
    for (let index = sorted.length - 1; index >= 0; index--) {
      const { begin, leastEnd } = sorted[index] as (typeof sorted)[number];
      least = Math.min(least, leastEnd);
      sorted[index] = { begin, leastEnd: least };
    }
    return sorted;
  }
}

/** Judges one round. */
export class Judge {
  readonly #round: Round;
  readonly #words: Int32Array;
  /** By value: when its write began (0 = there was none), and its zone as far as it is known. */
  readonly #written: Int32Array;
  readonly #firstEnd: Int32Array;
  readonly #lastBegin: Int32Array;
  /** By value: the last begin of a fetch that its load gave a fill and that may not have read
   *  it. */
  readonly #handed: Int32Array;
  /** By value: who read it last, for the report. */
  readonly #lastReader: Int32Array;
  readonly #isFill: Uint8Array;
  readonly #isRead: Uint8Array;
  readonly #clears = new Removals();
  readonly #byTag: Removals[];
  readonly #told: string[] = [];
  readonly #counts = {
    operations: 0,
    reads: 0,
    misses: 0,
    writes: 0,
    fills: 0,
    byTag: 0,
    faults: 0,
  };

  constructor(round: Round) {
    this.#round = round;
    this.#words = round.words;
    const values = round.threads * round.operations;
    this.#written = new Int32Array(values);
    this.#firstEnd = new Int32Array(values).fill(never);
    this.#lastBegin = new Int32Array(values);
    this.#handed = new Int32Array(values);
    this.#lastReader = new Int32Array(values);
    this.#isFill = new Uint8Array(values);
    this.#isRead = new Uint8Array(values);
    this.#byTag = Array.from({ length: round.tags }, () => new Removals());
  }

  verdict(): Verdict {
    const values = this.#written.length;
    for (let value = 0; value < values; value++) this.#noteWrite(value);
    for (let operation = 0; operation < values; operation++) this.#noteRead(operation);
    this.#sweepZones();
    this.#sweepFills();
    return { ...this.#counts, told: this.#told };
  }

  #word(operation: number, field: number): number {
    return this.#words[operation * recordWords + field] as number;
  }

  #fault(text: string, ...operations: readonly number[]): void {
    this.#counts.faults += 1;
    if (this.#told.length >= toldMax) return;
    this.#told.push(`${text}: ${operations.map((one) => this.#describe(one)).join("; ")}`);
  }

  #describe(operation: number): string {
    const { operations } = this.#round;
    const key = this.#word(operation, atKey);
    const value = this.#word(operation, atValue);
    const load = this.#word(operation, atLoad);
    const words = [
      `${Math.floor(operation / operations)}/${operation % operations}`,
      `${kindNames[this.#word(operation, atKind)]} of ${key}`,
      `from ${this.#word(operation, atBegin)} to ${this.#word(operation, atEnd) || "?"}`,
    ];
    if (load !== 0) words.push(`loaded at ${load}`);
    if (value !== 0)
      words.push(`gave ${Math.floor((value - 1) / operations)}/${(value - 1) % operations}`);
    return words.join(" ");
  }

  #isWrite(kind: number): boolean {
    return kind === kindSet || kind === kindRefused || kind === kindUpdate;
  }

  /** Records what an operation wrote or removed. */
  #noteWrite(operation: number): void {
    const begin = this.#word(operation, atBegin);
    if (begin === 0) return;
    this.#counts.operations += 1;
    const end = this.#word(operation, atEnd) || never;
    const load = this.#word(operation, atLoad);
    const kind = this.#word(operation, atKind);
    if (this.#isWrite(kind) || load !== 0) {
      this.#written[operation] = load === 0 ? begin : load;
      this.#lastBegin[operation] = load === 0 ? begin : load;
      const isKnown = load === 0 || this.#word(operation, atValue) - 1 === operation;
      this.#firstEnd[operation] = isKnown ? end : never;
      if (load !== 0) this.#isFill[operation] = 1;
      this.#counts[load === 0 ? "writes" : "fills"] += 1;
    } else if (end !== never) {
      if (kind === kindClear) this.#clears.add(begin, end);
      if (kind !== kindDeleteByTag) return;
      this.#byTag[this.#word(operation, atKey)]?.add(begin, end);
      this.#counts.byTag += 1;
    }
  }

  /** Records what an operation read. */
  #noteRead(operation: number): void {
    const kind = this.#word(operation, atKind);
    const end = this.#word(operation, atEnd);
    const reads = kind === kindRead || kind === kindFetch || kind === kindUpdate;
    if (!reads || end === 0) return;
    this.#counts.reads += 1;
    const value = this.#word(operation, atValue) - 1;
    if (value < 0) {
      this.#counts.misses += 1;
      return;
    }
    const begin = this.#word(operation, atBegin);
    const written = this.#written[value] as number;
    if (written === 0) this.#fault("read what nobody wrote", operation);
    else if (this.#word(value, atKey) !== this.#word(operation, atKey)) {
      this.#fault("read another key's value", operation, value);
    } else if (end < written) this.#fault("read before it was written", operation, value);
    else if (this.#word(value, atKind) === kindRefused) {
      this.#fault("read what was refused", operation, value);
    }
    const deadline = this.#word(value, atDeadline);
    if (deadline > 0 && this.#word(operation, atTime) > deadline + precisionUs) {
      this.#fault("read an expired value", operation, value);
    }
    const last = Math.max(this.#lastBegin[value] as number, this.#handed[value] as number);
    if (begin > last) this.#lastReader[value] = operation;
    if (kind === kindFetch && this.#isFill[value] === 1) {
      this.#handed[value] = Math.max(this.#handed[value] as number, begin);
    } else {
      this.#isRead[value] = 1;
      this.#lastBegin[value] = Math.max(this.#lastBegin[value] as number, begin);
      this.#firstEnd[value] = Math.min(this.#firstEnd[value] as number, end);
    }
  }

  /** Whether a clear, or a deletion by the value's tag, lies between the two tickets. */
  #isRemoved(value: number, from: number, to: number): boolean {
    const tag = this.#word(value, atTag);
    return (
      this.#clears.within(from, to) || (tag > 0 && this.#byTag[tag - 1]?.within(from, to) === true)
    );
  }

  /** The zones of a key in the order in which they begin. Only the newest forward zone can hold
   *  another: those before it have ended, or overlap it and are a fault already. */
  #sweepZones(): void {
    const begins = this.#zoneBegins();
    const openUntil = new Int32Array(this.#round.keys);
    const openValue = new Int32Array(this.#round.keys);
    for (const operation of begins) {
      if (operation === 0) continue;
      const one = operation - 1;
      const key = this.#word(one, atKey);
      const isForward = this.#isForward(one);
      const last = isForward ? (this.#lastBegin[one] as number) : this.#zoneEnd(one);
      if (isForward && this.#isRemoved(one, this.#firstEnd[one] as number, last)) {
        this.#fault("read after it was removed", one, this.#lastReader[one] as number);
      }
      if (
        isForward
          ? (openUntil[key] as number) > (this.#firstEnd[one] as number)
          : (openUntil[key] as number) > last
      ) {
        const older = openValue[key] as number;
        this.#fault("read after it was overwritten", older, one, this.#lastReader[older] as number);
      }
      if (isForward && last > (openUntil[key] as number)) {
        openUntil[key] = last;
        openValue[key] = one;
      }
    }
  }

  #isForward(value: number): boolean {
    return (
      this.#written[value] !== 0 &&
      (this.#firstEnd[value] as number) < (this.#lastBegin[value] as number)
    );
  }

  /** Where a backward zone ends. */
  #zoneEnd(operation: number): number {
    return this.#written[operation] === 0
      ? this.#word(operation, atEnd)
      : (this.#firstEnd[operation] as number);
  }

  /** By ticket: the operation + 1 whose zone begins there. */
  #zoneBegins(): Int32Array {
    const begins = new Int32Array(ticketsMax(this.#round) + 1);
    for (let one = 0; one < this.#written.length; one++) {
      if (this.#written[one] === 0) {
        if (this.#word(one, atKind) !== kindDelete || this.#word(one, atEnd) === 0) continue;
        begins[this.#word(one, atBegin)] = one + 1;
      } else {
        // A fill that nobody read may never have been published, and a write that did not return
        // may not have happened.
        const [first, last] = [this.#firstEnd[one] as number, this.#lastBegin[one] as number];
        if (this.#isRead[one] === 0 && (this.#isFill[one] === 1 || first === never)) continue;
        begins[Math.min(first, last)] = one + 1;
      }
    }
    return begins;
  }

  /** From the last ticket to the first: for each key the earliest end of a write that begins
   *  later. */
  #sweepFills(): void {
    const begins = new Int32Array(ticketsMax(this.#round) + 1);
    for (let one = 0; one < this.#written.length; one++) {
      const kind = this.#word(one, atKind);
      if (this.#isFill[one] === 1) begins[this.#written[one] as number] = one + 1;
      else if (this.#isWrite(kind) || kind === kindDelete) {
        if (this.#word(one, atEnd) !== 0) begins[this.#word(one, atBegin)] = one + 1;
      }
    }
    const earliestEnd = new Int32Array(this.#round.keys).fill(never);
    const earliest = new Int32Array(this.#round.keys);
    for (let ticket = begins.length - 1; ticket > 0; ticket--) {
      const one = (begins[ticket] as number) - 1;
      if (one < 0) continue;
      const key = this.#word(one, atKey);
      if (this.#isFill[one] === 0) {
        const end = this.#word(one, atEnd);
        if (end >= (earliestEnd[key] as number)) continue;
        earliestEnd[key] = end;
        earliest[key] = one;
        continue;
      }
      const last = Math.max(this.#lastBegin[one] as number, this.#handed[one] as number);
      if ((earliestEnd[key] as number) < last) {
        const reader = this.#lastReader[one] as number;
        this.#fault("read a fill that was superseded", one, earliest[key] as number, reader);
      } else if (this.#isRemoved(one, ticket, last)) {
        this.#fault(
          "read a fill that a removal had superseded",
          one,
          this.#lastReader[one] as number,
        );
      }
    }
  }
}
