// Checks what users pass to the calls whose options are not in config/: `get` and `getMany`
// (signal), `flush` (fsync), `setAsync` (its signal), and the calls with many entries. Called by
// the cache.
import { describe, UndercroftError } from "../base/mod.js";
import {
  checkedSignal,
  diskBytesOf,
  isOptions,
  memoryBytesOf,
  optionRangeError,
  optionsOf,
  optionTypeError,
  resolveEntryOptions,
  type SetAsyncOptions,
  type SetOptions,
} from "../config/mod.js";

/** The signal in the options of `get`, or undefined. Throws TypeError if it is not a signal. */
export function signalOf(options: unknown): AbortSignal | undefined {
  return checkedSignal(optionsOf("", options, ["signal"])["signal"]);
}

/** The options of `setAsync`: its signal, and those of `set`, which are not checked yet. */
export function splitSignal(options: SetAsyncOptions | undefined): {
  readonly signal: AbortSignal | undefined;
  readonly rest: SetOptions | undefined;
} {
  if (!isOptions(options)) return { signal: undefined, rest: options };
  const { signal, ...rest } = options;
  return { signal: checkedSignal(signal), rest };
}

/** Whether the options of `flush` ask for an fsync. Throws TypeError unless it is a boolean. */
export function fsyncOf(options: unknown): boolean {
  const { fsync } = optionsOf("", options, ["fsync"]);
  if (fsync === undefined || typeof fsync === "boolean") return fsync === true;
  throw optionTypeError("fsync", fsync, "true or false");
}

/** What `resize` asks for, in bytes; undefined for what it does not name. Throws TypeError or
 *  RangeError unless each is a size of at most the most that it was opened with. */
export function sizesToResize(
  options: unknown,
  most: { readonly memory: number; readonly disk: number | null },
): { readonly memory: number | undefined; readonly disk: number | undefined } {
  const { memory, disk } = optionsOf("", options, ["memory", "disk"]);
  if (disk !== undefined && most.disk === null) {
    const allowed = "left out, since the cache has no disk tier (option disk of openCache)";
    throw optionRangeError("disk", disk, allowed);
  }
  const [memoryBytes, diskBytes] = [
    memory === undefined ? undefined : memoryBytesOf(memory),
    disk === undefined ? undefined : diskBytesOf(disk, "disk"),
  ];
  assertAtMost("memory", memoryBytes, most.memory, memory, "memory");
  assertAtMost("disk", diskBytes, most.disk ?? 0, disk, "disk.capacity");
  return { memory: memoryBytes, disk: diskBytes };
}

function assertAtMost(
  option: string,
  bytes: number | undefined,
  most: number,
  given: unknown,
  opened: string,
): void {
  if (bytes === undefined || bytes <= most) return;
  const allowed = `at most ${most} bytes, the most that the cache was opened with`;
  throw optionRangeError(option, given, `${allowed} (option ${opened}: { now, most })`);
}

/**
 * Sets each entry, in order. If one cannot be set, the error says how many were: the first entry's
 * error is thrown as it is, and another one's as the `cause` of an error that says it.
 */
export function setEach<K, V, Outcome>(
  entries: Iterable<readonly [K, V]>,
  options: unknown,
  set: (key: K, value: V) => Outcome,
): Outcome[] {
  if (options !== undefined) resolveEntryOptions(options); // wrong ones are told of no entries too
  assertEntries(entries);
  const outcomes: Outcome[] = [];
  try {
    for (const entry of entries) {
      assertEntry(entry, outcomes.length);
      outcomes.push(set(entry[0], entry[1]));
    }
  } catch (error) {
    if (outcomes.length === 0 || error instanceof UndercroftError) throw error;
    throw stoppedError(error, outcomes.length);
  }
  return outcomes;
}

function assertEntries(entries: unknown): void {
  const iterator: unknown =
    typeof entries === "object" && entries !== null
      ? Reflect.get(entries, Symbol.iterator)
      : undefined;
  if (typeof iterator === "function") return;
  throw new TypeError(
    `Cannot use entries: current value is ${describe(entries)}; it must be an iterable of ` +
      "[key, value] pairs, such as a Map or Object.entries(object)",
  );
}

function assertEntry(entry: unknown, position: number): void {
  if (Array.isArray(entry) && entry.length === 2) return;
  throw new TypeError(
    `Cannot use entries: entry ${position} is ${describe(entry)}; it must be a pair [key, value]`,
  );
}

function stoppedError(error: unknown, count: number): Error {
  const why = error instanceof Error ? error.message : describe(error);
  const before = count === 1 ? "the entry before it was set" : `the ${count} before it were set`;
  const text = `Cannot set entry ${count}: ${why}; ${before}`;
  return error instanceof RangeError
    ? new RangeError(text, { cause: error })
    : new TypeError(text, { cause: error });
}
