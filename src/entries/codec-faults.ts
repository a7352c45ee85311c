// Values that the user's own codec cannot decode: told, counted, and their entries dropped, so that
// each is told once. Called by the value decoder. Invariant: only the record that was read is
// dropped; a value that was written meanwhile stays. Listeners run here, after everything is done.
import { describe, UndercroftError } from "../base/mod.js";
import { HashedKey, type Key } from "../kernel/mod.js";
import { largeValueOf } from "../memory/mod.js";
import { isHead } from "../record/mod.js";
import { counterCodecErrors } from "../stats/mod.js";
import type { ThreadCore } from "./thread-core.js";

/** Which record a value was read from. */
export interface Origin {
  readonly key: Key | HashedKey;
  readonly sequence: number;
  /** Where the record was read on disk; 0 in memory. */
  readonly diskLocation: number;
}

export class CodecFaults {
  readonly #core: ThreadCore;
  /** The last value that this thread filled could not be decoded, and that was told. */
  #isToldOfFills = false;

  constructor(core: ThreadCore) {
    this.#core = core;
  }

  /** A read found a value that the codec cannot decode: drops its entry. */
  dropRead(origin: Origin, cause: unknown): void {
    this.#drop(origin);
    this.#tell(origin.key, cause, "its entry is dropped");
  }

  /** The codec cannot decode what it has just encoded for a fill. Told once, until a fill is
   *  decoded again: such a codec fails at each load. */
  noteFill(key: HashedKey, cause: unknown): void {
    if (this.#isToldOfFills) {
      this.#core.kernel.count(counterCodecErrors, 1);
      return;
    }
    this.#isToldOfFills = true;
    this.#tell(key, cause, "the codec had just encoded it");
  }

  /** The codec has decoded what it encoded for a fill. */
  noteGoodFill(): void {
    this.#isToldOfFills = false;
  }

  #drop({ key, sequence, diskLocation }: Origin): void {
    const { reader, writer, kernel, isClosed } = this.#core;
    // The codec may have closed the cache.
    if (isClosed || !kernel.control.isOpen()) return;
    const isHashed = key instanceof HashedKey;
    const found = isHashed ? reader.findHashed(key, false) : reader.find(key, false);
    const isSame =
      found === "memory"
        ? reader.record.sequence === sequence
        : found === "disk" && reader.found.location === diskLocation;
    if (!isSame) return;
    const isInChunks = found === "memory" && isHead(reader.record.flags);
    if (isInChunks) writer.dropValue(reader.slotRef(), largeValueOf(reader.record));
    else writer.drop(reader.slotRef());
  }

  #tell(key: Key | HashedKey, cause: unknown, outcome: string): void {
    const { kernel, config, emitError, isDetached } = this.#core;
    if (!isDetached) kernel.count(counterCodecErrors, 1);
    const given = key instanceof HashedKey ? key.toKey() : key;
    const text =
      `Cannot decode the value of key ${describeKey(given)}: the codec ` +
      `${describe(config.codecName)} threw ${textOf(cause)}; ${outcome}`;
    emitError(new UndercroftError("ERR_CODEC", text, { cause }), given);
  }
}

const shownBytesMax = 20;

/** A key for a message: a text, or the first bytes in hexadecimal digits. */
function describeKey(key: Key): string {
  if (typeof key === "string") return describe(key);
  const shown = Buffer.from(key.subarray(0, shownBytesMax)).toString("hex");
  return `0x${shown}${key.length > shownBytesMax ? "..." : ""}`;
}

const textMax = 200;

/** What a codec threw, which may be anything. */
function textOf(cause: unknown): string {
  try {
    return cause instanceof Error ? String(cause).slice(0, textMax) : describe(cause);
  } catch {
    return "an error without a readable message";
  }
}
