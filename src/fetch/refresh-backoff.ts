// Delays the next attempt to refresh a stale value after one failed: 1 s, then twice as long each
// time, up to a minute. All threads share it: a back-off is a small record in memory under an
// internal key made of the key's hash. Called by ReadThrough and its phases. Invariant: a back-off
// names the sequence of the stale record it is about, so a set, a load or a delete ends it without
// touching it; it never delays the load of a key that has no stale value to serve.
import type { Clock } from "../base/mod.js";
import type { ThreadCore } from "../entries/mod.js";
import type { HashedKey } from "../kernel/mod.js";
import { internalKey } from "../memory/mod.js";
import { codecBytes, flagChunk } from "../record/mod.js";
import type { Backoff, BackoffBoard } from "./fetch-parts.js";

/** The delay after the first failure, and the longest. */
export const backoffMsMin = 1000;
export const backoffMsMax = 60_000;

export class RefreshBackoff {
  readonly #board: BackoffBoard;
  readonly #clock: Clock;

  constructor(board: BackoffBoard, clock: Clock) {
    this.#board = board;
    this.#clock = clock;
  }

  /** Whether the stale record with this sequence is not to be refreshed yet. */
  holds(key: HashedKey, sequence: number): boolean {
    const backoff = this.#board.read(key);
    if (backoff === undefined || backoff.sequence !== sequence) return false;
    return this.#clock.now() < backoff.retryAtMs;
  }

  /** An attempt to refresh the stale record with this sequence has failed. A failure within a
   *  minute after the delay counts as the next one in a row. */
  fail(key: HashedKey, sequence: number): void {
    const before = this.#board.read(key);
    const failures = before?.sequence === sequence ? before.failures + 1 : 1;
    const delayMs = Math.min(backoffMsMax, backoffMsMin * 2 ** (failures - 1));
    const retryAtMs = this.#clock.now() + delayMs;
    this.#board.write(key, { sequence, failures, retryAtMs }, retryAtMs + backoffMsMax);
  }
}

const backoffBytes = 24;
/** The number in the internal key, which no error has: theirs is 0. */
const backoffNumber = 2 ** 32 - 1;
const noTags = new Uint8Array(0);

/** The back-offs in the shared memory. One that finds no room, or is evicted, is forgotten: the
 *  next stale read tries again. */
export class SharedBackoffs implements BackoffBoard {
  readonly #core: ThreadCore;

  constructor(core: ThreadCore) {
    this.#core = core;
  }

  read(key: HashedKey): Backoff | undefined {
    const { reader, clock } = this.#core;
    if (!key.isHashed || reader.find(backoffKey(key), false) !== "memory") return undefined;
    const { buffer, flags, valueStart, valueEnd, expiresMs } = reader.record;
    if ((flags & flagChunk) === 0 || valueEnd - valueStart !== backoffBytes) return undefined;
    if (expiresMs <= clock.now()) return undefined;
    return {
      sequence: buffer.readDoubleLE(valueStart),
      retryAtMs: buffer.readDoubleLE(valueStart + 8),
      failures: buffer.readDoubleLE(valueStart + 16),
    };
  }

  write(key: HashedKey, { sequence, retryAtMs, failures }: Backoff, untilMs: number): void {
    const core = this.#core;
    if (!key.isHashed || core.isDetached) return;
    const bytes = Buffer.alloc(backoffBytes);
    bytes.writeDoubleLE(sequence, 0);
    bytes.writeDoubleLE(retryAtMs, 8);
    bytes.writeDoubleLE(failures, 16);
    core.writer.append(backoffKey(key), bytes, {
      codecId: codecBytes,
      flags: flagChunk,
      createdMs: Math.floor(core.clock.now()),
      expiresMs: untilMs,
      staleUntilMs: untilMs,
      tags: noTags,
      flight: -1,
      forDisk: false,
    });
  }
}

function backoffKey(key: HashedKey): Uint8Array {
  const id = Buffer.alloc(8);
  id.writeUInt32LE(key.hashLow >>> 0, 0);
  id.writeUInt32LE(key.hashHigh >>> 0, 4);
  return internalKey(id, backoffNumber);
}
