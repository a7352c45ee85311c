// How the value of a record is encoded: the codec byte of the record header. Written by the codec,
// kept in memory and ON DISK. A number keeps its meaning and is never reused; a new encoding takes
// a new number.

/** A string in UTF-8. */
export const codecUtf8 = 1;
/** A string whose characters are all <= U+00FF, one byte each. */
export const codecLatin1 = 2;
/** A string with a lone surrogate, which UTF-8 would lose: UTF-16, little-endian. */
export const codecUtf16 = 3;
/** The bytes of a Uint8Array. */
export const codecBytes = 4;
/** The bytes of a Buffer. */
export const codecBuffer = 5;
/** msgpackr with records and more types, without schemas: each value stands alone. */
export const codecMsgpack = 6;
/** V8's structured serialization, with views as in codec/structured.ts. */
export const codecStructured = 7;
/** JSON in UTF-8. */
export const codecJson = 8;
/** The user's own codec. */
export const codecCustom = 9;
/**
 * As codecStructured, of `[value, repairs]`: the repairs restore what V8 leaves out
 * (codec/repair.ts).
 */
export const codecRepaired = 10;
/**
 * As codecMsgpack, with the keys of objects in the cache's schema dictionary
 * (codec/schemas/schema-packer.ts).
 */
export const codecSchema = 11;
/** No value: the record is a negative answer. In memory only. */
export const codecNegative = 13;
/** Bytes that came as a stream, larger than memory takes: `get` does not join them. */
export const codecStream = 14;
