// What the coroutines call at run time: each access to shared memory asks the running schedule
// whether the thread must stop before it. Called by code that coroutines.ts made, by thread.ts and
// by the scenarios.

/** A script of one thread: it yields where the schedule stops it. */
export type Coroutine<Result = void> = Generator<undefined, Result, undefined>;

/** The running schedule. */
export interface Steps {
  readonly buffer: ArrayBufferLike;
  /** True if the running thread must stop before it accesses `address`. */
  access(address: number, bytes: number, isWrite: boolean, site: string): boolean;
  /** The running thread waits for others; true if it must stop. A thread that is asleep stops if
   *  there are others. */
  giveWay(isAsleep: boolean): boolean;
  /** A step that accesses no shared memory, such as a write to a file; true if the thread must stop
   *  before it. */
  pause(): boolean;
}

/** Outside a schedule (during the setup and the final checks) nothing stops. */
const never: Steps = {
  buffer: new ArrayBuffer(0),
  access: () => false,
  giveWay: () => false,
  pause: () => false,
};

let steps: Steps = never;

export function running(): Steps {
  return steps;
}

export function use(next: Steps | undefined): void {
  steps = next ?? never;
}

type View = Uint8Array | Int32Array | Uint32Array | Float64Array | BigUint64Array;

/** An index into a view, after the schedule was asked if the view is shared memory; null for a
 *  thread that sleeps. */
export function* $element(view: View, index: number, isWrite: boolean | null): Coroutine<number> {
  if (view.buffer !== steps.buffer) return index;
  const bytes = view.BYTES_PER_ELEMENT;
  const address = view.byteOffset + index * bytes;
  if (isWrite === null ? steps.giveWay(true) : steps.access(address, bytes, isWrite, "js")) {
    yield undefined;
  }
  return index;
}

function isCoroutine<Result>(value: Result | Coroutine<Result>): value is Coroutine<Result> {
  if (value === null || typeof value !== "object") return false;
  return Symbol.iterator in value && "throw" in value;
}

/** The result of a call, run step by step if it is a coroutine. */
export function* $run<Result>(value: Result | Coroutine<Result>): Coroutine<Result> {
  return isCoroutine(value) ? yield* value : value;
}

/** The result of a call in a constructor, run to its end if it is a coroutine. */
export function $alone<Result>(value: Result | Coroutine<Result>): Result {
  return isCoroutine(value) ? alone(value) : value;
}

/** Where the schedule may stop the thread before a step outside of shared memory. */
export function* pause(): Coroutine {
  if (steps.pause()) yield undefined;
}

/** Lets others run until something has happened; every schedule goes on from there. */
export function* until(condition: () => boolean): Coroutine {
  while (!condition()) if (steps.giveWay(true)) yield undefined;
}

/** Copies eight bytes at a time, so that a copy can be stopped in the middle, as on a real
 *  machine. */
export function* $set(target: Uint8Array, source: Uint8Array, offset: number): Coroutine {
  const reads = source.buffer === steps.buffer;
  const writes = target.buffer === steps.buffer;
  if (!(target instanceof Uint8Array) || (!reads && !writes)) {
    target.set(source, offset);
    return;
  }
  for (let byte = 0; byte < source.length; byte += 8) {
    if (reads && steps.access(source.byteOffset + byte, 8, false, "copy")) yield undefined;
    if (writes && steps.access(target.byteOffset + offset + byte, 8, true, "copy")) yield undefined;
    target.set(source.subarray(byte, byte + 8), offset + byte);
  }
}

/** Runs a coroutine to its end with nothing in between. */
export function alone<Result>(coroutine: Coroutine<Result>): Result {
  for (;;) {
    const result = coroutine.next();
    if (result.done === true) return result.value;
  }
}
