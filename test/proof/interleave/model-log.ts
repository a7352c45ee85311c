// The disk log that the flusher writes to, over the model of the files: locations, batches and
// their outcome as in disk-log/disk-log.ts, each of them steps. Called by actor.ts.

import { $run, $set, pause, type Coroutine } from "./suspension.js";
import type { SteppedThread } from "./thread.js";
import { diskUnits, type World } from "./world.js";

interface Outcome {
  written(): Coroutine;
  failed(): Coroutine;
}

/** Records of one batch of the model. */
const batchRecordsMax = 2;

export class ModelLog {
  batchNumber = 0;
  readonly #world: World;
  readonly #thread: SteppedThread;
  readonly #fails: boolean;
  #batch: { readonly location: number; readonly bytes: Buffer; readonly sequence: number }[] = [];
  #outcomes: Outcome[] = [];
  #segment = -1;
  #next = 0;

  constructor(world: World, thread: SteppedThread, fails: boolean) {
    this.#world = world;
    this.#thread = thread;
    this.#fails = fails;
  }

  /** Opens a free segment file: a new generation with its own nonce. */
  *open(only: number = -1): Coroutine {
    const { at, options } = this.#world;
    const { kernel, verbs } = this.#thread;
    const { i32 } = kernel.views;
    for (let segment = 0; segment < (options.diskSegments ?? 0); segment++) {
      const entry = kernel.geometry.diskTable + segment * at.diskEntrySize;
      if (i32[entry / 4] !== at.diskFree || (only >= 0 && segment !== only)) continue;
      const nonce = (i32[(entry + at.diskGeneration) / 4] as number) + 1000;
      this.#world.disk.erase(segment, diskUnits);
      yield* pause();
      yield* verbs.openDisk(segment, nonce, 0, nonce, 0);
      this.#segment = segment;
      this.#next = segment * diskUnits + 1;
      return;
    }
    throw new Error("the scenario has no free segment file");
  }

  *place(): Coroutine<number> {
    if (this.#batch.length >= batchRecordsMax) yield* this.commit();
    return this.#next;
  }

  *append(source: Uint8Array, size: number, sequence: number): Coroutine {
    const bytes = Buffer.alloc(size);
    yield* $set(bytes, source, 0);
    this.#batch.push({ location: this.#next, bytes, sequence });
    this.#next += 1;
  }

  /** Its records have none. */
  checksumOf(): number {
    return -1;
  }

  skip(): void {
    this.#next += 1;
  }

  afterBatch(outcome: Outcome): void {
    this.#outcomes.push(outcome);
  }

  *commit(): Coroutine {
    const outcomes = this.#outcomes;
    const batch = this.#batch;
    this.#outcomes = [];
    this.#batch = [];
    if (batch.length > 0) {
      yield* pause();
      if (this.#fails) {
        for (const outcome of outcomes) yield* $run(outcome.failed());
        throw new Error("the write failed");
      }
      const { at, disk } = this.#world;
      const { kernel, verbs } = this.#thread;
      const entry = kernel.geometry.diskTable + this.#segment * at.diskEntrySize;
      const nonce = kernel.views.i32[(entry + at.diskNonce) / 4] as number;
      for (const { location, bytes } of batch) disk.records.push({ location, bytes, nonce });
      yield* pause();
      const end = (this.#next % diskUnits) * 16;
      const newest = Math.max(...batch.map(({ sequence }) => sequence));
      yield* verbs.extendDisk(this.#segment, end, batch.length, Infinity, newest);
      this.batchNumber += 1;
    }
    for (const outcome of outcomes) yield* $run(outcome.written());
  }
}
