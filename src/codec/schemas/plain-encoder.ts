// Encodes plain data whose schemas have ids, in one pass that checks each value as it writes it.
// Its bytes are those that msgpackr writes, and msgpackr decodes them. Called by the value codec
// for each object. What it gives up on is checked by plain-data.ts and packed by msgpackr, which
// takes twice as long. Invariants: what it encodes comes back exactly. Each property is read once.

import { isWellFormed, KiB, MiB } from "../../base/mod.js";
import { hasOnlyItems, hasSymbolKeys, plainDepthMax } from "../plain-data.js";
import { SeenObjects } from "../seen-objects.js";
import type { KnownSchema, KnownSchemas } from "./known-schemas.js";

/** The buffer grows with the values up to this size. Larger values are msgpackr's. */
const bufferBytesMax = 4 * MiB;
/** A text of fewer characters is written by a loop: a call of the native encoder takes longer. */
const loopLengthMax = 28;
/** After a value that was given up, one is not tried, then two, then four, up to this many. */
const pauseMax = 64;

/** Node.js documents it as `write` with the encoding utf8, which takes longer. */
interface TextBuffer extends Buffer {
  utf8Write(text: string, offset: number): number;
}

export class PlainEncoder {
  readonly #schemas: KnownSchemas;
  readonly #seen = new SeenObjects();
  #bytes: TextBuffer;
  #view: DataView;
  #position = 0;
  #isBusy = false;
  /** Values not to be tried, and how many after the next one that is given up. */
  #pause = 0;
  #nextPause = 1;
  /** The schema of the object before this one, in this value or an earlier one. */
  #last: KnownSchema | undefined;

  constructor(schemas: KnownSchemas) {
    this.#schemas = schemas;
    this.#bytes = Buffer.allocUnsafeSlow(8 * KiB) as TextBuffer;
    this.#view = new DataView(this.#bytes.buffer);
  }

  /**
   * The bytes of a value, valid until the next call. `undefined` if it is not encoded here: it has
   * a schema without an id, or a part that is not an object, array, text, number, boolean, null or
   * undefined; or inside another call.
   */
  encode(value: object): Uint8Array | undefined {
    // A getter of the value may call `set`, which comes back here.
    if (this.#isBusy) return undefined;
    // An inherited property would be taken for the object's own.
    for (const _ in Object.prototype) return undefined;
    if (this.#pause > 0) {
      this.#pause -= 1;
      return undefined;
    }
    this.#isBusy = true;
    this.#position = 0;
    let isEncoded = false;
    try {
      isEncoded = this.#writeObject(value, 0);
    } catch {
      // A getter threw, or a proxy. The survey meets that again, and knows the path.
    } finally {
      this.#isBusy = false;
      this.#seen.clear();
    }
    if (isEncoded) {
      this.#nextPause = 1;
      return new Uint8Array(this.#bytes.buffer, 0, this.#position);
    }
    this.#pause = this.#nextPause;
    this.#nextPause = Math.min(this.#nextPause * 2, pauseMax);
    return undefined;
  }

  /** Writes a value; false if it is not encoded here. */
  #write(value: unknown, depth: number): boolean {
    // Not a switch: V8 compiles these comparisons to checks of the type, and that to a call.
    if (typeof value === "string") return this.#writeText(value);
    if (typeof value === "number") return this.#writeNumber(value);
    if (value === null) return this.#writeByte(0xc0);
    if (typeof value === "object") return this.#writeObject(value, depth);
    if (typeof value === "boolean") return this.#writeByte(value ? 0xc3 : 0xc2);
    // An extension of type 0, with 0 as its data.
    return value === undefined && this.#writeByte(0xd4) && this.#writeByte(0) && this.#writeByte(0);
  }

  #writeObject(value: object, depth: number): boolean {
    if (depth === plainDepthMax || !this.#seen.add(value)) return false;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype) {
      return this.#writeRecord(value as Record<string, unknown>, depth + 1);
    }
    if (prototype !== Array.prototype || !Array.isArray(value)) return false;
    return this.#writeArray(value, depth + 1);
  }

  #writeRecord(value: Record<string, unknown>, depth: number): boolean {
    const schema = this.#schemaOf(value);
    if (schema === undefined) return false;
    const { keys, first, second } = schema;
    if (!this.#writeByte(first) || (second >= 0 && !this.#writeByte(second))) return false;
    let count = 0;
    for (const key in value) {
      // A getter may have changed the object.
      if (key !== keys[count] || !this.#write(value[key], depth)) return false;
      count += 1;
    }
    return count === keys.length && !hasSymbolKeys(value);
  }

  #schemaOf(value: object): KnownSchema | undefined {
    const last = this.#last;
    const guess = last?.after;
    const schema = guess !== undefined && isOf(value, guess) ? guess : this.#schemas.find(value);
    if (last !== undefined) last.after = schema;
    return (this.#last = schema);
  }

  #writeArray(value: readonly unknown[], depth: number): boolean {
    const { length } = value;
    if (!this.#hasRoom(5)) return false;
    if (length < 16) this.#bytes[this.#position++] = 0x90 | length;
    else if (length < 0x10000) this.#write16(0xdc, length);
    else this.#write32(0xdd, length);
    for (let index = 0; index < length; index++) {
      const item = value[index];
      if (item === undefined && !Object.hasOwn(value, index)) return false;
      if (!this.#write(item, depth)) return false;
    }
    return hasOnlyItems(value) && !hasSymbolKeys(value);
  }

  #writeText(text: string): boolean {
    const { length } = text;
    if (!this.#hasRoom(5 + length * 3)) return false;
    if (length >= loopLengthMax) return this.#writeLongText(text);
    const bytes = this.#bytes;
    const start = this.#position + 1;
    let every = 0;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      every |= code;
      bytes[start + index] = code;
    }
    if (every > 0x7f) return this.#writeLongText(text);
    bytes[start - 1] = 0xa0 | length;
    this.#position = start + length;
    return true;
  }

  /** Writes a text that may be long or have characters beyond ASCII. */
  #writeLongText(text: string): boolean {
    if (!isWellFormed(text) || text.charCodeAt(0) === 0xfeff) return false;
    const bytes = this.#bytes;
    const guess = textHeaderOf(text.length);
    const start = this.#position + guess;
    const length = bytes.utf8Write(text, start);
    const header = textHeaderOf(length);
    if (header !== guess) bytes.copyWithin(this.#position + header, start, start + length);
    if (header === 1) bytes[this.#position++] = 0xa0 | length;
    else if (header === 2) {
      bytes[this.#position++] = 0xd9;
      bytes[this.#position++] = length;
    } else if (header === 3) this.#write16(0xda, length);
    else this.#write32(0xdb, length);
    this.#position += length;
    return true;
  }

  /** Writes a type and 16 bits. */
  #write16(type: number, bits: number): void {
    const bytes = this.#bytes;
    bytes[this.#position] = type;
    bytes[this.#position + 1] = bits >> 8;
    bytes[this.#position + 2] = bits;
    this.#position += 3;
  }

  /** Writes a type and 32 bits. */
  #write32(type: number, bits: number): void {
    this.#bytes[this.#position] = type;
    this.#view.setUint32(this.#position + 1, bits);
    this.#position += 5;
  }

  #writeNumber(value: number): boolean {
    if (!this.#hasRoom(9)) return false;
    const bytes = this.#bytes;
    if (value >>> 0 === value) {
      if (value < 0x40) {
        if (value === 0 && 1 / value < 0) return false;
        bytes[this.#position++] = value;
      } else if (value < 0x100) {
        bytes[this.#position++] = 0xcc;
        bytes[this.#position++] = value;
      } else if (value < 0x10000) this.#write16(0xcd, value);
      else this.#write32(0xce, value);
    } else if (value >> 0 === value) {
      if (value >= -0x20) {
        bytes[this.#position++] = 0x100 + value;
      } else if (value >= -0x80) {
        bytes[this.#position++] = 0xd0;
        bytes[this.#position++] = 0x100 + value;
      } else if (value >= -0x8000) this.#write16(0xd1, value);
      else this.#write32(0xd2, value);
    } else {
      bytes[this.#position] = 0xcb;
      this.#view.setFloat64(this.#position + 1, value);
      this.#position += 9;
    }
    return true;
  }

  #writeByte(byte: number): boolean {
    if (!this.#hasRoom(1)) return false;
    this.#bytes[this.#position++] = byte;
    return true;
  }

  /** Makes the buffer larger if it has no room for so many bytes more; false if it may not be. */
  #hasRoom(bytes: number): boolean {
    const end = this.#position + bytes;
    if (end <= this.#bytes.length) return true;
    if (end > bufferBytesMax) return false;
    const larger = Buffer.allocUnsafeSlow(Math.min(bufferBytesMax, end * 2)) as TextBuffer;
    this.#bytes.copy(larger, 0, 0, this.#position);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
    return true;
  }
}

/** Whether a `for` loop over `value` meets the keys of the schema, in their order. */
function isOf(value: object, { keys }: KnownSchema): boolean {
  let count = 0;
  for (const key in value) if (key !== keys[count++]) return false;
  return count === keys.length;
}

/** Bytes of a text's header, if it has one of the least bytes. */
function textHeaderOf(length: number): number {
  if (length < 0x20) return 1;
  if (length < 0x100) return 2;
  return length < 0x10000 ? 3 : 5;
}
