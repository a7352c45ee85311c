// A file system that fails on purpose, around another one: one kind of call with one error, once or
// until it is mended. Used by the matrix of faults.
import type { FileSystem } from "../../../src/device/mod.js";
import { root, systemError } from "./memory-files.js";

export const failingCalls = [
  "openSync",
  "closeSync",
  "readSync",
  "read",
  "writeSync",
  "ftruncateSync",
  "fsyncSync",
  "fsync",
  "fstatSync",
  "lstatSync",
  "statSync",
  "readdirSync",
  "mkdirSync",
  "renameSync",
  "unlinkSync",
  "statfsSync",
] as const;

export type FailingCall = (typeof failingCalls)[number];

export const failures = [
  "ENOSPC",
  "EIO",
  "EACCES",
  "EROFS",
  "EMFILE",
  "ENOENT",
  "ESTALE",
  "short",
  "never",
] as const;

export type Failure = (typeof failures)[number];

type Answer = (error: Error | null, count?: number) => void;

/** What fails, which a test changes as it goes. */
export class FaultSwitch {
  readonly call: FailingCall;
  readonly failure: Failure;
  /** How many calls fail, after how many that do not. */
  #left = 0;
  #after = 0;
  /** How often it has failed. */
  failed = 0;
  readonly #withheld: (() => void)[] = [];

  constructor(call: FailingCall, failure: Failure) {
    this.call = call;
    this.failure = failure;
  }

  /** From now on `count` calls fail, after `after` that work. */
  turnOn(count: number, after: number): void {
    this.#left = count;
    this.#after = after;
  }

  /** Nothing fails any more, and what was never answered is. */
  turnOff(): void {
    this.#left = 0;
    for (const answer of this.#withheld.splice(0)) answer();
  }

  fails(call: FailingCall): boolean {
    if (call !== this.call || this.#left === 0) return false;
    if (this.#after > 0) {
      this.#after -= 1;
      return false;
    }
    this.#left -= 1;
    this.failed += 1;
    return true;
  }

  withhold(answer: () => void): void {
    this.#withheld.push(answer);
  }
}

/** Whether a failure means something for a call. */
export function canFail(call: FailingCall, failure: Failure): boolean {
  if (failure === "never") return call === "read" || call === "fsync";
  if (failure === "short") return ["read", "readSync", "writeSync"].includes(call);
  return true;
}

/** The file system with what the switch says. What names the boot does not fail. */
export function faulty(files: FileSystem, fault: FaultSwitch): FileSystem {
  const calls: Record<string, unknown> = {};
  const others = new Set<unknown>();
  for (const call of failingCalls) {
    const real = Reflect.get(files, call) as (...given: unknown[]) => unknown;
    calls[call] = (...given: unknown[]): unknown => {
      const [first] = given;
      const isOurs = typeof first === "string" ? first.startsWith(root) : !others.has(first);
      if (!isOurs || !fault.fails(call)) {
        const result = real(...given);
        if (!isOurs && call === "openSync") others.add(result);
        if (call === "closeSync") others.delete(first);
        return result;
      }
      return call === "read" || call === "fsync"
        ? failLater(real, given, fault)
        : failNow(real, given, fault, call);
    };
  }
  return { ...files, ...calls } as unknown as FileSystem;
}

function failNow(
  real: (...given: unknown[]) => unknown,
  given: unknown[],
  { failure }: FaultSwitch,
  call: FailingCall,
): unknown {
  if (failure !== "short") {
    // The descriptor is gone all the same.
    if (call === "closeSync") real(...given);
    throw systemError(failure, call);
  }
  const half = [...given];
  half[3] = Math.floor((given[3] as number) / 2);
  return real(...half);
}

function failLater(
  real: (...given: unknown[]) => unknown,
  given: unknown[],
  fault: FaultSwitch,
): void {
  const answer = given.at(-1) as Answer;
  if (fault.failure === "never") {
    fault.withhold(() => real(...given));
    return;
  }
  if (fault.failure !== "short") {
    queueMicrotask(() => answer(systemError(fault.failure, fault.call)));
    return;
  }
  const half = [...given];
  half[3] = Math.floor((given[3] as number) / 2);
  real(...half);
}
