// Carries a loader's error from the leader to the followers. Called by SharedFlights. Invariants:
// the bytes are bounded, and every thrown value gives some: what the codec cannot encode is cut
// down to what it can.
import { types } from "node:util";
import { describe, UndercroftError } from "../base/mod.js";
import { type Codec, createCodec } from "../codec/mod.js";

/** The most bytes of an encoded error. A larger one loses its properties and the ends of its texts,
 *  then its causes and stack. */
export const errorBytesMax: number = 16 * 1024;
/** Characters kept of an error that is cut down, and how many causes. */
const messageCharsMax = 1024;
const stackCharsMax = 2048;
const causesMax = 2;

/** Class instances are encoded by their properties: an error of a user's own class is still an
 *  error. */
const codec: Codec = createCodec({ codec: "msgpack", classInstances: "plain" });
const keyForMessages = "error";

/** An encoded error, and the id of the codec that made it. */
export interface ErrorBytes {
  readonly codecId: number;
  readonly bytes: Uint8Array;
}

interface Parcel {
  readonly thrown: unknown;
  /** The error's own name: V8 keeps only the names of its built-in classes. */
  readonly name: string | undefined;
  readonly isUndercroft: boolean;
}

/** Encodes what a loader threw, in at most {@link errorBytesMax}; valid until the next call. */
export function encodeError(thrown: unknown): ErrorBytes {
  const candidates = [
    () => thrown,
    () => cutDown(thrown, causesMax, stackCharsMax),
    () => cutDown(thrown, 0, 0),
  ];
  for (const candidate of candidates) {
    const encoded = tryEncode(candidate, thrown);
    if (encoded !== undefined && encoded.bytes.length <= errorBytesMax) return encoded;
  }
  const unreadable = new Error("The loader threw a value that cannot be read");
  return tryEncode(() => unreadable, unreadable) as ErrorBytes;
}

/** Undefined if it cannot be encoded; a getter of the value may throw too. */
function tryEncode(candidate: () => unknown, thrown: unknown): ErrorBytes | undefined {
  try {
    const value = candidate();
    // V8 writes errors of another realm, and DOMException (native in Node.js 24), without texts.
    const isForeign = value instanceof DOMException || !types.isNativeError(value);
    if (value instanceof Error && isForeign) return undefined;
    const parcel: Parcel = {
      thrown: value,
      name: thrown instanceof Error ? String(thrown.name) : undefined,
      isUndercroft: thrown instanceof UndercroftError,
    };
    const bytes = codec.encode(parcel, keyForMessages);
    return { codecId: codec.lastCodecId, bytes };
  } catch {
    return undefined;
  }
}

const errorClasses: readonly ErrorConstructor[] = [
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
];

/** A bounded copy of an error's texts; a value that is no error becomes an error that describes
 *  it. */
function cutDown(thrown: unknown, causes: number, stackChars: number): Error {
  if (!(thrown instanceof Error)) {
    const what = describe(thrown).slice(0, messageCharsMax);
    return new Error(`The loader threw ${what}, which cannot be given to another thread`);
  }
  const Class = errorClasses.find((one) => thrown instanceof one) ?? Error;
  const made = new Class(String(thrown.message).slice(0, messageCharsMax));
  made.stack = String(thrown.stack).slice(0, stackChars);
  const code: unknown = Reflect.get(thrown, "code");
  if (typeof code === "string" || typeof code === "number") {
    Object.assign(made, { code: typeof code === "string" ? code.slice(0, messageCharsMax) : code });
  }
  if (thrown.name !== made.name) {
    Object.assign(made, { name: String(thrown.name).slice(0, messageCharsMax) });
  }
  if (causes > 0 && "cause" in thrown) {
    const cause: unknown = thrown.cause;
    made.cause = cause instanceof Error ? cutDown(cause, causes - 1, stackChars) : describe(cause);
  }
  return made;
}

/** Decodes what a loader threw. An error keeps its name, message, stack, code and cause, and its
 *  class if that is JavaScript's own or UndercroftError. Throws on any other bytes. */
export function decodeError(codecId: number, buffer: Buffer, start: number, end: number): unknown {
  const { thrown, name, isUndercroft } = codec.decode(codecId, buffer, start, end) as Parcel;
  if (!(thrown instanceof Error)) return thrown;
  if (isUndercroft) Object.setPrototypeOf(thrown, UndercroftError.prototype);
  if (name !== undefined && thrown.name !== name) {
    const field = { value: name, writable: true, configurable: true, enumerable: false };
    Object.defineProperty(thrown, "name", field);
  }
  return thrown;
}
