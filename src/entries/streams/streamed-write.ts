// One write of a value that comes as a stream, chunk by chunk. Made by the writer of streams.
// Invariants: what is held of the value outside shared memory is one chunk and the piece in hand. A
// value that spills, since it is larger than memory takes or memory is full of such, has a window
// of chunks in memory: the next one waits until the first of them is on disk. No wait is longer
// than `waitMsMax` without a chunk written. What was checked before an await is checked again.
import {
  assertNotAborted,
  elapsedMs,
  setImmediate,
  UndercroftError,
  withSignal,
} from "../../base/mod.js";
import type { ResolvedSetStreamOptions } from "../../config/mod.js";
import { codes, type HashedKey } from "../../kernel/mod.js";
import {
  type AppendOutcome,
  isSpilled,
  streamBytesMax,
  StreamedValue,
  type WriteFields,
  writeValue,
} from "../../memory/mod.js";
import { counterFillsSuperseded } from "../../stats/mod.js";
import type { SegmentRoom } from "../segment-room.js";
import type { ThreadCore } from "../thread-core.js";
import type { ByteSource } from "./byte-source.js";
import { type Refused, refuse, type StreamOutcome } from "./stream-outcome.js";
import { pause } from "./read-stream.js";

/** Chunks of a value that spills which may be in memory: an eighth of it, as two fill a segment.
 *  The first of four is always in a segment that is full, and so is flushed. */
const windowLeast = 4;
const windowMost = 32;
const windowShare = 1 / 4;
/** The longest wait for room, and until a chunk is on disk. */
const waitMsMax = 30_000;
const lookMs = 1;
/** Chunks dropped in one go, of a write that has failed. */
const droppedAtOnce = 256;

export class StreamedWrite {
  readonly #core: ThreadCore;
  readonly #room: SegmentRoom;
  readonly #key: HashedKey;
  readonly #fields: WriteFields;
  readonly #options: ResolvedSetStreamOptions;
  readonly #most: number;
  /** The chunk that is being filled. Of the size of the first before there is a value. */
  #chunk = Buffer.alloc(0);
  readonly #window: number;
  #filled = 0;
  #value: StreamedValue | undefined;
  #spills = false;
  /** Whether the refusal is counted, and the older value removed. */
  #isRefused = false;
  /** Chunks that have left memory, the first ones. */
  #left = 0;

  constructor(
    core: ThreadCore,
    room: SegmentRoom,
    key: HashedKey,
    fields: WriteFields,
    options: ResolvedSetStreamOptions,
  ) {
    this.#core = core;
    this.#room = room;
    this.#key = key;
    this.#fields = fields;
    this.#options = options;
    const { kernel } = core;
    // While another cache has the directory there is no disk.
    const isDiskHere = fields.forDisk && !kernel.control.isDirectoryOthers();
    this.#most = streamBytesMax(kernel, isDiskHere);
    const chunks = Math.floor(kernel.control.segmentsWanted() * windowShare);
    this.#window = Math.min(windowMost, Math.max(windowLeast, chunks));
  }

  async run(source: ByteSource): Promise<StreamOutcome> {
    try {
      const outcome =
        this.#isTooLarge(this.#options.size ?? 0) ??
        (await this.#take(source)) ??
        (await this.#writeLast()) ??
        (await this.#finish());
      if (outcome === "stored") return outcome;
      await this.#drop();
      if (outcome === "superseded") this.#core.count(counterFillsSuperseded, 1);
      else if (!this.#isRefused) refuse(this.#core, this.#key, outcome);
      return outcome;
    } catch (error) {
      await this.#drop();
      throw error;
    }
  }

  /** Reads the source to its end. A refusal, if the value cannot be stored. */
  async #take(source: ByteSource): Promise<Refused | undefined> {
    const { signal, size } = this.#options;
    let taken = 0;
    for (;;) {
      assertNotAborted(signal);
      const next = source.next();
      const piece = await (signal === undefined ? next : withSignal(signal, next));
      this.#core.assertOpen();
      if (piece === undefined) break;
      taken += piece.length;
      if (size !== undefined && taken > size) throw this.#sizeError(taken, size, "at least ");
      const refusal = this.#isTooLarge(taken) ?? this.#early() ?? (await this.#add(piece));
      if (refusal !== undefined) return refusal;
    }
    if (size !== undefined && taken !== size) throw this.#sizeError(taken, size, "");
    return undefined;
  }

  #isTooLarge(bytes: number): Refused | undefined {
    return bytes > this.#most ? "too-large" : undefined;
  }

  /** Why it is of no use to go on. */
  #early(): Refused | undefined {
    const { kernel, clock } = this.#core;
    if (this.#fields.staleUntilMs <= clock.now()) return "expired";
    const { flight } = this.#fields;
    if (kernel.flights.state(flight) !== codes.flightActive) return "superseded";
    const cleared = kernel.control.clearEpochOf(this.#core.keys.space);
    if (kernel.flights.sequence(flight) < cleared) return "superseded";
    return this.#value?.isIntact === false ? "overloaded" : undefined;
  }

  /** Fills chunks with a piece, and writes each that is full. */
  async #add(piece: Uint8Array): Promise<Refused | undefined> {
    if (this.#chunk.length === 0) {
      this.#chunk = Buffer.allocUnsafeSlow(StreamedValue.chunkBytesIn(this.#core.kernel));
    }
    for (let from = 0; from < piece.length;) {
      if (this.#filled === this.#chunk.length) {
        const refusal = await this.#writeChunk();
        if (refusal !== undefined) return refusal;
      }
      const bytes = Math.min(piece.length - from, this.#chunk.length - this.#filled);
      this.#chunk.set(piece.subarray(from, from + bytes), this.#filled);
      this.#filled += bytes;
      from += bytes;
    }
    return undefined;
  }

  async #writeChunk(): Promise<Refused | undefined> {
    this.#value ??= StreamedValue.begin(this.#core.writer, this.#key, this.#fields) ?? undefined;
    const value = this.#value;
    if (value === undefined) return "overloaded";
    const chunk = this.#chunk.subarray(0, this.#filled);
    const refusal = await this.#whenThereIsRoom(value, () => value.append(chunk));
    if (refusal === undefined) this.#filled = 0;
    return refusal;
  }

  /** Appends once there is room: again and again, since others who waited may have taken it. */
  async #whenThereIsRoom(
    value: StreamedValue,
    append: () => AppendOutcome | "taken" | "lost",
  ): Promise<Refused | undefined> {
    const { disk, kernel } = this.#core;
    const mayWait = disk !== null && this.#fields.forDisk;
    for (const until = elapsedMs() + waitMsMax; ;) {
      const refusal = mayWait ? await this.#waitForRoom(value) : this.#early();
      if (refusal !== undefined) return refusal;
      const outcome = append();
      if (outcome === "stored") return undefined;
      if (outcome === "superseded") return outcome;
      if (outcome === "lost") return this.#early() ?? "overloaded";
      this.#isRefused = outcome === "taken";
      const isOver = elapsedMs() > until || !kernel.control.isDiskUp();
      if (!mayWait || isOver || this.#isRefused) return "overloaded";
      await this.#pause();
    }
  }

  async #waitForRoom(value: StreamedValue): Promise<Refused | undefined> {
    const { kernel } = this.#core;
    const known = this.#options.size ?? value.bytes + this.#filled;
    // Also where many streams at once are larger than memory takes: none of them could go on.
    const isCrowded = kernel.control.isDiskUp() && !this.#room.has(value.chunkBytes);
    if (!this.#spills && (isCrowded || isSpilled(kernel, known))) {
      value.spill();
      this.#spills = true;
    }
    await this.#untilAborted(this.#room.wait(value.chunkBytes));
    while (this.#spills && value.chunks - this.#left >= this.#window) {
      const refusal = await this.#waitForDisk(value);
      if (refusal !== undefined) return refusal;
      this.#left += 1;
    }
    return this.#early();
  }

  /** Waits until the first chunk in memory is on disk, and leaves it there. */
  async #waitForDisk(value: StreamedValue): Promise<Refused | undefined> {
    const { verbs, control } = this.#core.kernel;
    const until = elapsedMs() + waitMsMax;
    while (!value.leavesMemory(this.#left)) {
      if (!control.isDiskUp()) throw this.#diskError();
      if (elapsedMs() > until) return "overloaded";
      verbs.ring();
      await this.#pause();
      const refusal = this.#early();
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  async #pause(): Promise<void> {
    await this.#untilAborted(pause(lookMs));
    this.#core.assertOpen();
  }

  #untilAborted<T>(wait: Promise<T>): Promise<T> {
    const { signal } = this.#options;
    return signal === undefined ? wait : withSignal(signal, wait);
  }

  /** Writes the last chunk of a value that has others. */
  async #writeLast(): Promise<Refused | undefined> {
    const isChunk = this.#value !== undefined && this.#filled > 0;
    return isChunk ? this.#writeChunk() : this.#early();
  }

  /** Publishes the value. Tiers are told of no bytes, only that what they have is old. */
  async #finish(): Promise<StreamOutcome> {
    const { writer, through } = this.#core;
    const told = <T>(publish: () => T): T =>
      through === null ? publish() : through.remove(this.#key, publish);
    const value = this.#value;
    if (value !== undefined) {
      return (await this.#whenThereIsRoom(value, () => told(() => value.finish()))) ?? "stored";
    }
    const bytes = this.#chunk.subarray(0, this.#filled);
    const outcome = told(() => writeValue(writer, this.#key, bytes, this.#fields));
    this.#isRefused = outcome !== "stored";
    // The cast is right: the write has no condition.
    return outcome as StreamOutcome;
  }

  /** Gives back the room of what was written. What is not dropped here, since the cache closes, is
   *  dead all the same. */
  async #drop(): Promise<void> {
    const value = this.#value;
    const core = this.#core;
    if (value === undefined || core.isDetached) return;
    value.end();
    for (let from = 0; from < value.chunks; from += droppedAtOnce) {
      if (core.isDetached || core.isClosed) return;
      value.dropChunks(from, Math.min(value.chunks, from + droppedAtOnce));
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
  }

  #diskError(): UndercroftError {
    const name = JSON.stringify(this.#core.config.name);
    return new UndercroftError(
      "ERR_DISK_IO",
      `Cannot store a stream in cache ${name}: the disk tier is down, and the value is larger ` +
        "than memory takes",
    );
  }

  #sizeError(taken: number, size: number, least: string): RangeError {
    return new RangeError(
      `Cannot store a stream: it has ${least}${taken} bytes; option size says ${size}`,
    );
  }
}
