// Encodes what msgpackr would change, with V8's structured serialization. Called by the codec after
// the survey. V8 writes and reads everything but views. Views are "host objects", whose bytes this
// file owns, ON DISK too:
//
//   ┬ kind    u32 (varint)   index in `viewKinds`, never changed
//   ├ length  u32 (varint)   bytes
//   └ bytes
//
// Node's own v8.deserialize returns views that alias its input. Here each view gets its own memory.

import { Deserializer, Serializer } from "node:v8";

import { describe } from "../base/mod.js";
import { applyRepairs, type Repair } from "./repair.js";

type ViewMaker = new (buffer: ArrayBuffer) => ArrayBufferView;

/** Undefined if this version of Node has no such type. */
const float16 = Reflect.get(globalThis, "Float16Array") as ViewMaker | undefined;

const viewKinds: readonly (ViewMaker | undefined)[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
  undefined, // Buffer, which `_readHostObject` handles itself
  float16,
];
const bufferKind = 12;
const viewNames: readonly string[] = [
  ...viewKinds.slice(0, bufferKind).map((maker) => (maker as ViewMaker).name),
  "Buffer",
  "Float16Array",
];

/** Node documents this method but leaves it out of its types. */
interface SerializerHooks {
  _setTreatArrayBufferViewsAsHostObjects(flag: boolean): void;
}

class ValueSerializer extends Serializer {
  readonly #key: string | Uint8Array;

  /** `key` is for messages. */
  constructor(key: string | Uint8Array) {
    super();
    this.#key = key;
    (this as unknown as SerializerHooks)._setTreatArrayBufferViewsAsHostObjects(true);
  }

  /** Called by V8 for each view. */
  _writeHostObject(view: ArrayBufferView): void {
    const kind = viewNames.indexOf(viewNameOf(view));
    if (kind < 0) {
      throw new TypeError(
        `Cannot store value of key ${describe(this.#key)}: it holds a view of an unknown kind`,
      );
    }
    this.writeUint32(kind);
    this.writeUint32(view.byteLength);
    this.writeRawBytes(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  }

  /** Called by V8 for the error of a value that it cannot write. */
  _getDataCloneError(message: string): Error {
    return new TypeError(`Cannot store value of key ${describe(this.#key)}: ${message}`);
  }
}

class ValueDeserializer extends Deserializer {
  /** Called by V8 for each view. */
  _readHostObject(): ArrayBufferView {
    const kind = this.readUint32();
    const length = this.readUint32();
    const bytes = this.readRawBytes(length);
    if (kind === bufferKind) {
      const buffer = Buffer.allocUnsafeSlow(length);
      buffer.set(bytes);
      return buffer;
    }
    const maker = viewKinds[kind];
    if (maker === undefined) throw new Error("Cannot read a view of an unknown kind");
    const own = new Uint8Array(length);
    own.set(bytes);
    return new maker(own.buffer);
  }
}

const typedArrayTag = Reflect.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)?.get;

function viewNameOf(view: ArrayBufferView): string {
  if (Buffer.isBuffer(view)) return "Buffer";
  return (typedArrayTag?.call(view) as string | undefined) ?? "DataView";
}

/** Encodes `value` with V8, together with `repairs` if there are any. `key` is for messages. */
export function writeStructured(
  value: unknown,
  repairs: readonly Repair[],
  key: string | Uint8Array,
): Buffer {
  const serializer = new ValueSerializer(key);
  serializer.writeHeader();
  serializer.writeValue(repairs.length === 0 ? value : [value, repairs]);
  return serializer.releaseBuffer();
}

/**
 * Decodes a value. `repaired` says that its repairs are beside it. Throws if `writeStructured` did
 * not make these bytes.
 */
export function readStructured(bytes: Buffer, repaired: boolean): unknown {
  const deserializer = new ValueDeserializer(bytes);
  deserializer.readHeader();
  const read: unknown = deserializer.readValue();
  if (!repaired) return read;
  if (!Array.isArray(read) || read.length !== 2)
    throw new Error("Cannot read a value: its repairs are missing");
  const [value, repairs] = read as unknown[];
  applyRepairs(repairs);
  return value;
}
