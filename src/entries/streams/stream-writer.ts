// Stores a value that comes as a stream, chunk by chunk. Called by the facade. Invariants: the
// entry that is there stays until the last chunk and then gives way at once, so nothing half
// written is ever found; of two writes of the key the later one wins, by a flight, as for fills.
// What is held of the value outside shared memory is one chunk and the piece in hand. A value that
// spills has a window of chunks in memory: the next one waits until the first of them is on disk.
import {
  assertNotAborted,
  elapsedMs,
  setImmediate,
  setTimeout,
  UndercroftError,
  withSignal,
} from "../../base/mod.js";
import type { ResolvedSetStreamOptions } from "../../config/mod.js";
import { codes, type HashedKey } from "../../kernel/mod.js";
import {
  isSpilled,
  streamBytesMax,
  StreamedValue,
  type WriteFields,
  type WriteOutcome,
  writeValue,
} from "../../memory/mod.js";
import { codecBuffer } from "../../record/mod.js";
import { counterFillsSuperseded, counterFlightsRefused } from "../../stats/mod.js";
import { SegmentRoom } from "../segment-room.js";
import type { ThreadCore } from "../thread-core.js";
import type { ByteSource } from "./byte-source.js";

/**
 * The outcome of `setStream`. "stored": every thread finds the value. "superseded": a `set`,
 * `delete`, `clear` or invalidated tag came while the stream was read, and counts. In the other
 * cases nothing is stored and an older value of the key is removed: "too-large": there is no room
 * for so much, in memory or on disk; "overloaded": no room could be freed in 30 s, what was written
 * was reclaimed before the end, or 64 streams are being written; "expired": its ttl, which counts
 * from the call, was over before the stream was.
 *
 * @example
 * ```ts
 * import { openCache, type StreamOutcome } from "undercroft";
 *
 * const cache = await openCache({ memory: "1mb" });
 * const small: StreamOutcome = await cache.setStream("a", ["a", "few", "bytes"]);
 * const large = await cache.setStream("a", [new Uint8Array(2 ** 20)]);
 * console.log(small, large, cache.has("a")); // stored too-large false
 * await cache.close();
 * ```
 */
export type StreamOutcome = "stored" | "too-large" | "overloaded" | "superseded" | "expired";

/** Chunks of a value that spills which may be in memory: an eighth of it, as two fill a segment.
 *  The first of four is always in a segment that is full, and so is flushed. */
const windowLeast = 4;
const windowMost = 32;
const windowShare = 1 / 4;
/** The longest wait until a chunk is on disk. */
const chunkWaitMsMax = 30_000;
const lookMs = 1;
/** Chunks dropped in one go, of a write that has failed. */
const droppedAtOnce = 256;

type Refusal = Exclude<StreamOutcome, "stored">;

export class StreamWriter {
  readonly #core: ThreadCore;
  readonly #room: SegmentRoom;

  constructor(core: ThreadCore) {
    this.#core = core;
    this.#room = new SegmentRoom(core);
  }

  /** Rejects with what the source throws, with the signal's reason, and if the cache closes or the
   *  disk fails: then nothing has changed. The source is ended in each case. */
  async write(
    key: HashedKey,
    source: ByteSource,
    options: ResolvedSetStreamOptions,
  ): Promise<StreamOutcome> {
    try {
      const outcome = await this.#write(key, source, options);
      if (outcome !== "stored") source.stop(new Error(`the value is ${outcome}`));
      return outcome;
    } catch (error) {
      source.stop(error);
      throw error;
    }
  }

  async #write(
    key: HashedKey,
    source: ByteSource,
    options: ResolvedSetStreamOptions,
  ): Promise<StreamOutcome> {
    const core = this.#core;
    const { verbs } = core.kernel;
    if (!key.isHashed) return core.writer.refuse(key) as StreamOutcome;
    const fields = this.#fieldsOf(key, options);
    const flight = verbs.beginFlight(key.hashLow, key.hashHigh, core.keys.space);
    if (flight === codes.answerGuarded) return this.#superseded();
    if (flight < 0) {
      core.kernel.count(counterFlightsRefused, 1);
      return this.#refuse(key, "overloaded");
    }
    try {
      return await new StreamedWrite(core, this.#room, key, { ...fields, flight }, options).run(
        source,
      );
    } finally {
      // A thread that has left the cache has ended its flights.
      if (!core.isDetached) verbs.endFlight(flight, codes.flightAgain, 0);
    }
  }

  #superseded(): Refusal {
    this.#core.count(counterFillsSuperseded, 1);
    return "superseded";
  }

  #refuse(key: HashedKey, outcome: "overloaded"): StreamOutcome {
    this.#core.writer.overload(key);
    return outcome;
  }

  #fieldsOf(key: HashedKey, options: ResolvedSetStreamOptions): WriteFields {
    const { admission, clock, kernel } = this.#core;
    const { tags, size = Infinity } = options;
    const createdMs = Math.floor(clock.now());
    const expiresMs = createdMs + options.ttlMs;
    return {
      codecId: codecBuffer,
      flags: 0,
      createdMs,
      expiresMs,
      staleUntilMs: expiresMs + options.staleForMs,
      tags: tags.length === 0 ? new Uint8Array(0) : kernel.tags.encode(tags),
      flight: -1,
      forDisk: admission?.admits(key.toKey(), size) ?? false,
    };
  }
}

/** One write. */
class StreamedWrite {
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
      const refusal =
        this.#isTooLarge(this.#options.size ?? 0) ??
        (await this.#take(source)) ??
        (await this.#writeLast());
      // The cast is right: the write has no condition.
      const outcome = refusal === undefined ? (this.#finish() as StreamOutcome) : refusal;
      if (outcome === "stored") return outcome;
      await this.#drop();
      if (outcome === "superseded") this.#core.count(counterFillsSuperseded, 1);
      else if (refusal !== undefined) this.#refuse(refusal);
      return outcome;
    } catch (error) {
      await this.#drop();
      throw error;
    }
  }

  /** Reads the source to its end. A refusal, if the value cannot be stored. */
  async #take(source: ByteSource): Promise<Refusal | undefined> {
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

  #isTooLarge(bytes: number): Refusal | undefined {
    return bytes > this.#most ? "too-large" : undefined;
  }

  /** Why it is of no use to go on. */
  #early(): Refusal | undefined {
    const { kernel, clock } = this.#core;
    if (this.#fields.staleUntilMs <= clock.now()) return "expired";
    if (kernel.flights.state(this.#fields.flight) !== codes.flightActive) return "superseded";
    return this.#value?.isIntact === false ? "overloaded" : undefined;
  }

  /** Fills chunks with a piece, and writes each that is full. */
  async #add(piece: Uint8Array): Promise<Refusal | undefined> {
    if (this.#chunk.length === 0) {
      this.#chunk = Buffer.allocUnsafeSlow(StreamedValue.chunkBytesIn(this.#core.kernel));
    }
    for (let from = 0; from < piece.length; ) {
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

  async #writeChunk(): Promise<Refusal | undefined> {
    const { writer, disk } = this.#core;
    const { forDisk } = this.#fields;
    this.#value ??= StreamedValue.begin(writer, this.#key, this.#fields) ?? undefined;
    const value = this.#value;
    if (value === undefined) return "overloaded";
    if (disk !== null && forDisk) {
      const refusal = await this.#waitForRoom(value);
      if (refusal !== undefined) return refusal;
    }
    if (value.append(this.#chunk.subarray(0, this.#filled)) !== "stored") return "overloaded";
    this.#filled = 0;
    return undefined;
  }

  async #waitForRoom(value: StreamedValue): Promise<Refusal | undefined> {
    const { kernel } = this.#core;
    const known = this.#options.size ?? value.bytes + this.#filled;
    if (!this.#spills && isSpilled(kernel, known)) {
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
  async #waitForDisk(value: StreamedValue): Promise<Refusal | undefined> {
    const { verbs, control } = this.#core.kernel;
    const until = elapsedMs() + chunkWaitMsMax;
    while (!value.leavesMemory(this.#left)) {
      if (!control.isDiskUp()) throw this.#diskError();
      if (elapsedMs() > until) return "overloaded";
      verbs.ring();
      await this.#untilAborted(
        new Promise<void>((resolve) => {
          setTimeout(resolve, lookMs);
        }),
      );
      this.#core.assertOpen();
      const refusal = this.#early();
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #untilAborted<T>(wait: Promise<T>): Promise<T> {
    const { signal } = this.#options;
    return signal === undefined ? wait : withSignal(signal, wait);
  }

  /** Writes the last chunk of a value that has others. */
  async #writeLast(): Promise<Refusal | undefined> {
    const isChunk = this.#value !== undefined && this.#filled > 0;
    return isChunk ? this.#writeChunk() : this.#early();
  }

  /** Publishes the value. */
  #finish(): WriteOutcome {
    const { writer, through } = this.#core;
    const publish = (): WriteOutcome => {
      const bytes = this.#chunk.subarray(0, this.#filled);
      return this.#value?.finish() ?? writeValue(writer, this.#key, bytes, this.#fields);
    };
    // Tiers are told of no bytes, only that what they have is old.
    return through === null ? publish() : through.remove(this.#key, publish);
  }

  /** As a refused set does: no older value is left. */
  #refuse(refusal: Refusal): void {
    const { writer, through } = this.#core;
    const remove = (): unknown => {
      if (refusal === "too-large") return writer.refuse(this.#key);
      return refusal === "expired" ? writer.remove(this.#key) : writer.overload(this.#key);
    };
    if (through === null) remove();
    else through.remove(this.#key, remove);
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
