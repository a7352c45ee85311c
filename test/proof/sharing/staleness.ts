// Judges what several processes read of a directory that they share. Values are unique. What is
// promised, and no more: once the awaited form of a write, a delete, a deletion by tag or a clear
// has resolved, no process reads a value that was there before it began. A value was there before
// that moment if anyone had read it by then, or its own awaited write had resolved; one that a
// loader brought is as old as the call of the loader. A miss is always allowed.
import { kinds, type Operation } from "./operation-log.js";

const toldMax = 10;

export interface Staleness {
  readonly operations: number;
  readonly hits: number;
  readonly misses: number;
  readonly awaited: number;
  readonly faults: number;
  readonly told: readonly string[];
}

/** Intervals of what ended values. Says in logarithmic time whether one lies within another. */
class Intervals {
  readonly #all: Operation[] = [];
  #sorted: { readonly begin: number; readonly first: Operation }[] | undefined;

  add(operation: Operation): void {
    this.#all.push(operation);
  }

  /** One that began after `from` and ended before `to`. */
  within(from: number, to: number): Operation | undefined {
    const sorted = (this.#sorted ??= this.#sort());
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle]?.begin ?? Infinity) > from) high = middle;
      else low = middle + 1;
    }
    const found = sorted[low]?.first;
    return found !== undefined && found.end < to ? found : undefined;
  }

  #sort(): { readonly begin: number; readonly first: Operation }[] {
    const sorted = this.#all.toSorted((left, right) => left.begin - right.begin);
    const answer: { begin: number; first: Operation }[] = [];
    let first: Operation | undefined;
    for (const operation of sorted.toReversed()) {
      if (first === undefined || operation.end < first.end) first = operation;
      answer.push({ begin: operation.begin, first });
    }
    return answer.toReversed();
  }
}

/** What is known of a value. */
interface Seen {
  /** From when on it was certainly there. */
  first: number;
  /** When the last read of it began. */
  last: number;
  reader: Operation | undefined;
}

export function judge(operations: readonly Operation[]): Staleness {
  const byId = new Map(operations.map((operation) => [operation.id, operation]));
  const ends = new Map<string, Intervals>();
  const intervalsOf = (name: string): Intervals => {
    let intervals = ends.get(name);
    if (intervals === undefined) ends.set(name, (intervals = new Intervals()));
    return intervals;
  };
  const seen = new Map<number, Seen>();
  const told: string[] = [];
  let [hits, misses, awaited, faults] = [0, 0, 0, 0];
  const fault = (text: string, ...about: readonly (Operation | undefined)[]): void => {
    faults += 1;
    if (told.length < toldMax) told.push(`${text}: ${about.map(describe).join("; ")}`);
  };
  for (const operation of operations) {
    const { kind, key, end } = operation;
    const isRead = kind === kinds.read || kind === kinds.fetch;
    if (isRead || end === Infinity) continue;
    awaited += 1;
    if (kind === kinds.deleteByTag) intervalsOf(`t${key}`).add(operation);
    else if (kind === kinds.clear) intervalsOf("*").add(operation);
    else intervalsOf(`k${key}`).add(operation);
  }
  const seenOf = (id: number, write: Operation): Seen => {
    let one = seen.get(id);
    if (one === undefined) {
      const first = write.load > 0 ? write.load : write.end;
      seen.set(id, (one = { first, last: -Infinity, reader: undefined }));
    }
    return one;
  };
  for (const operation of operations) {
    const { kind, end, value, key } = operation;
    if ((kind !== kinds.read && kind !== kinds.fetch) || end === Infinity) continue;
    if (value < 0) {
      misses += 1;
      continue;
    }
    hits += 1;
    const write = byId.get(value);
    if (write === undefined) fault("read what nobody wrote", operation);
    else if (write.key !== key) fault("read another key's value", operation, write);
    else if (end < (write.load > 0 ? write.load : write.begin)) {
      fault("read before it was written", operation, write);
    } else {
      const one = seenOf(value, write);
      one.first = Math.min(one.first, end);
      if (operation.begin > one.last) [one.last, one.reader] = [operation.begin, operation];
    }
  }
  for (const [id, { first, last, reader }] of seen) {
    const write = byId.get(id) as Operation;
    const names = [`k${write.key}`, "*", ...(write.tag < 0 ? [] : [`t${write.tag}`])];
    for (const name of names) {
      const by = ends.get(name)?.within(first, last);
      if (by === undefined || by.id === id) continue;
      fault("read after it had ended", write, by, reader);
      break;
    }
  }
  return { operations: operations.length, hits, misses, awaited, faults, told };
}

function describe(operation: Operation | undefined): string {
  if (operation === undefined) return "?";
  const { id, process, kind, key, begin, end, value, load } = operation;
  const name = Object.entries(kinds).find(([, one]) => one === kind)?.[0] ?? "?";
  const loaded = load === 0 ? "" : `, loaded at ${load.toFixed(3)}`;
  const gave = value < 0 ? "" : ` gave ${value}`;
  const time = `${begin.toFixed(3)} to ${end.toFixed(3)}`;
  return `${id} (process ${process}) ${name} of ${key}, ${time}${loaded}${gave}`;
}
