// The codec of a cache: chooses how to encode each value. Called through the contract in codec.ts.
//
// Strings and bytes are stored as they are. Plain data, which nearly all values are, goes through
// msgpackr. What msgpackr would change goes through V8, and what V8 cannot keep either is refused.
// With "json" everything but strings and bytes goes through JSON. A custom codec gets every value.

import { types } from "node:util";

import { assert, describe, isWellFormed, UndercroftError } from "../base/mod.js";
import {
  codecBuffer,
  codecBytes,
  codecCustom,
  codecJson,
  codecLatin1,
  codecMsgpack,
  codecRepaired,
  codecSchema,
  codecStructured,
  codecUtf16,
  codecUtf8,
} from "../record/mod.js";
import type { SchemaTable } from "../dictionary/mod.js";
import { isDetached } from "./built-in.js";
import type { Codec } from "./codec.js";
import { isPlainData, isPlainPrimitive } from "./plain-data.js";
import { pack, unpack, writeShortLatin1, writeText } from "./scratch.js";
import { SchemaPacker } from "./schemas/schema-packer.js";
import { readStructured, writeStructured } from "./structured.js";
import { Survey } from "./survey.js";

/** The part of a configuration that the codec needs. */
export interface CodecConfig {
  readonly codec: "msgpack" | "json" | "custom";
  readonly classInstances: "throw" | "plain";
}

/** The user's own codec. */
export interface CustomValueCodec {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

/**
 * Makes the codec of a configuration for one thread. Pass `custom` if, and only if, the
 * configuration says "custom". With `schemas`, plain data leaves object keys to that table,
 * and only a codec with the same table can decode it.
 */
export function createCodec(
  config: CodecConfig,
  custom?: CustomValueCodec,
  schemas?: SchemaTable,
): Codec {
  assert((config.codec === "custom") === (custom !== undefined), "a custom codec is handed in");
  return new ValueCodec(config, custom, schemas);
}

type Key = string | Uint8Array;

const nonLatin1Pattern = /[^\0-\xff]/;

class ValueCodec implements Codec {
  lastCodecId = 0;
  readonly #config: CodecConfig;
  readonly #custom: CustomValueCodec | undefined;
  readonly #schemas: SchemaPacker | undefined;

  constructor(
    config: CodecConfig,
    custom: CustomValueCodec | undefined,
    schemas: SchemaTable | undefined,
  ) {
    this.#config = config;
    this.#custom = custom;
    if (schemas !== undefined) this.#schemas = new SchemaPacker(schemas);
  }

  encode(value: unknown, key: Key): Uint8Array {
    if (value === undefined) {
      throw new TypeError(
        `Cannot store value of key ${describe(key)}: current value is undefined, which means a ` +
          "miss; null can be stored",
      );
    }
    if (this.#custom !== undefined) return this.#encodeCustom(this.#custom, value, key);
    if (typeof value === "string") return this.#encodeString(value);
    if (typeof value === "object" && value !== null) {
      if (ArrayBuffer.isView(value)) {
        const prototype: unknown = Object.getPrototypeOf(value);
        if (prototype === Buffer.prototype || prototype === Uint8Array.prototype) {
          this.lastCodecId = prototype === Buffer.prototype ? codecBuffer : codecBytes;
          if (!isDetached(value)) return value as Uint8Array;
        }
      }
      if (this.#config.codec === "json") return this.#encodeJson(value, key);
      const bytes = this.#schemas?.encode(value);
      if (bytes !== undefined) {
        this.lastCodecId = codecSchema;
        return bytes;
      }
      return isPlainData(value)
        ? this.#encodePlain(value, key)
        : this.#encodeStructured(value, key);
    }
    if (this.#config.codec === "json") return this.#encodeJson(value, key);
    return isPlainPrimitive(value)
      ? this.#encodePlain(value, key)
      : this.#encodeStructured(value, key);
  }

  decode(codecId: number, buffer: Buffer, start: number, end: number): unknown {
    switch (codecId) {
      case codecSchema:
        if (this.#schemas === undefined) throw unknownCodec(codecId);
        return this.#schemas.unpack(buffer, start, end);
      case codecMsgpack:
        return unpack(buffer, start, end);
      case codecLatin1:
        return buffer.toString("latin1", start, end);
      case codecUtf8:
        return buffer.toString("utf8", start, end);
      case codecUtf16:
        return buffer.toString("utf16le", start, end);
      case codecBytes:
        return copyOf(buffer, start, end);
      case codecBuffer: {
        const copy = Buffer.allocUnsafeSlow(end - start);
        buffer.copy(copy, 0, start, end);
        return copy;
      }
      case codecStructured:
        return readStructured(buffer.subarray(start, end), false);
      case codecRepaired:
        return readStructured(buffer.subarray(start, end), true);
      case codecJson:
        return JSON.parse(buffer.toString("utf8", start, end)) as unknown;
      case codecCustom:
        if (this.#custom === undefined) throw unknownCodec(codecId);
        return this.#custom.decode(copyOf(buffer, start, end));
      default:
        throw unknownCodec(codecId);
    }
  }

  #encodeString(value: string): Uint8Array {
    const short = writeShortLatin1(value);
    if (short !== undefined) {
      this.lastCodecId = codecLatin1;
      return short;
    }
    if (!nonLatin1Pattern.test(value)) {
      this.lastCodecId = codecLatin1;
      return writeText(value, "latin1");
    }
    if (isWellFormed(value)) {
      this.lastCodecId = codecUtf8;
      return writeText(value, "utf8");
    }
    this.lastCodecId = codecUtf16;
    return writeText(value, "utf16le");
  }

  #encodePlain(value: unknown, key: Key): Uint8Array {
    const schemas = this.#schemas;
    const bytes = schemas === undefined ? pack(value) : schemas.pack(value);
    // A getter of the value being packed called `set`.
    if (bytes === undefined) return this.#encodeStructured(value, key);
    this.lastCodecId = schemas === undefined ? codecMsgpack : codecSchema;
    return bytes;
  }

  #encodeStructured(value: unknown, key: Key): Uint8Array {
    const survey = new Survey(key, this.#config.classInstances);
    survey.visit(value);
    const bytes = writeStructured(value, survey.repairs, key);
    this.lastCodecId = survey.repairs.length === 0 ? codecStructured : codecRepaired;
    return bytes;
  }

  #encodeJson(value: unknown, key: Key): Uint8Array {
    const text = jsonOf(value, key);
    this.lastCodecId = codecJson;
    return writeText(text, "utf8");
  }

  #encodeCustom(custom: CustomValueCodec, value: unknown, key: Key): Uint8Array {
    const bytes: unknown = custom.encode(value);
    if (!types.isUint8Array(bytes)) {
      // A promise may reject, and nobody waits for it.
      if (types.isPromise(bytes)) bytes.then(undefined, () => undefined);
      throw new TypeError(
        `Cannot store value of key ${describe(key)}: the custom codec encoded it to ` +
          `${describe(bytes)}; it must give a Uint8Array`,
      );
    }
    this.lastCodecId = codecCustom;
    return bytes;
  }
}

function unknownCodec(codecId: number): UndercroftError {
  return new UndercroftError(
    "ERR_FORMAT_VERSION",
    `Cannot decode a value of codec ${codecId}: this cache has no such codec; open it with the ` +
      "codec that wrote it",
  );
}

/** As JSON.stringify, but throws where that returns `undefined`: for functions and symbols. */
function jsonOf(value: unknown, key: Key): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value) as string | undefined;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // thrown by a getter or a toJSON
    throw new TypeError(
      `Cannot store value of key ${describe(key)}: JSON refuses it (${error.message}); store a ` +
        "value that JSON can express",
      { cause: error },
    );
  }
  if (text !== undefined) return text;
  throw new TypeError(
    `Cannot store value of key ${describe(key)}: current value is ${describe(value)}, which JSON ` +
      "leaves out; store a value that JSON can express",
  );
}

function copyOf(buffer: Buffer, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  copy.set(buffer.subarray(start, end));
  return copy;
}
