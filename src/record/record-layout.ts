// The layout of one record, the same in a memory segment and in a segment file. This file owns it:
// the kernel (AssemblyScript), the memory tier and the disk tier read and write records only
// through these constants. Every number is little-endian. A record is aligned to 8 bytes in memory
// and to 16 bytes on disk.
//
//    0 ┬ size            u24  bytes of header, extension, key and value, without the padding after
//    3 ├ space           u8   the namespace of the key: its id, 0 = the cache's own key space
//    4 ├ keyLength - 1   u16  a key has 1 to 65,536 bytes
//    6 ├ codec           u8   4 bits: how the value is encoded (codec-id.ts); 3 bits: how long its
//      │                      loader took (policy/worth.ts); 128: it has a revision
//    7 ├ flags           u8   which extension fields are present, and what the key and value are
//    8 ├ sequence        u48  order of all writes of a cache, growing over its whole existence;
//      │                      0 = reserved, not published
//   14 ├ extensionUnits  u8   bytes of the extension / 8
//   15 ├ createdHigh     u8  ┐ wall-clock ms since the creation base, 40 bits (2020 to 2054)
//   16 ├ createdLow      u32 ┘
//   20 ├ checksum        u32  0 in memory; on disk the low half of XXH64 (see disk/file-layout.ts)
//   24 ├ extension            fields in this order, each present if its flag is set:
//      │   diskLocation  u64  in memory: the disk location of the copy, 0 = none;
//      │                      on disk: room for a keyed header tag, 0 today
//      │   expires       f64  wall-clock milliseconds since 1970
//      │   staleUntil    f64  wall-clock milliseconds since 1970
//      │   tags               u16 count, u16 bytes of the names, zero u32, count × u64 tag hash,
//      │                      then each name as u16 length + UTF-8; zero padding to 8 bytes
//      │   revision      f64  the caller's own order of writes; the last 8 bytes before the key
//      ├ key                  bytes
//      └ value                bytes as the codec made them
//
// A value too large for one record is a head, a record under its key, and chunks, records under
// internal keys. Both name the write that they are of by the hash of the key and an id.
//
//   the value of a head           the key of a chunk
//    0 ┬ bytes   u32  of all        0 ┬ 0       u8
//    4 ├ chunks  u32                1 ├ hash    u64  of the head's key
//    8 ├ hash    u64  of its key    9 ├ id      u64
//   16 ├ id      u64               17 ┴ number  u32  0 to chunks - 1
//   24 ├ round   u32  in memory: how often a policy has kept the value
//   28 ├ length  u32  bytes of each chunk but the last
//   32 ┴ skipped u32 × n: numbers below `chunks` that no chunk has, ascending; none but in a stream
//
// An id is a sequence from before the write, and in the low byte the thread id of the writer, so
// that others can ask whether it is still at work (threadLargeWrite in kernel/layout.ts); or, for a
// value that came as a stream, the number of its words (kernel/layouts/stream-layout.ts).

export const recordSize = 0;
/** The bits of the first word that are the size; the others are the space. */
export const recordSizeMask = 0xffffff;
export const recordSpace = 3;
export const recordKeyLength = 4;
export const recordCodec = 6;
/** In the codec's byte: the codec's id, and where the class of the load time begins. */
export const recordCodecMask = 15;
export const recordLoadShift = 4;
export const recordLoadMask = 7;
/** In the codec's byte: the last field of the extension is a revision. */
export const recordHasRevision = 128;
export const recordFlags = 7;
export const recordSequence = 8;
export const recordExtensionUnits = 14;
export const recordCreatedHigh = 15;
export const recordCreatedLow = 16;
export const recordChecksum = 20;
export const recordHeaderSize = 24;

/** Records in memory are aligned to this many bytes. */
export const recordAlignment = 8;
export const keyLengthMax = 65536;
/** Tags of one record. */
export const recordTagsMax = 16;
/** Bytes of a tags field before its hashes. */
export const tagsHeaderSize = 8;
export const extensionSizeMax = 2040; // 255 units of 8 bytes

export const flagDiskLocation = 1;
export const flagExpires = 2;
export const flagStale = 4;
export const flagTags = 8;
/** The key was given as bytes, not as a string. */
export const flagKeyBytes = 16;
/** The value is deflated (a large value encoded in the pool). */
export const flagCompressed = 32;
/** The record is the head of a value too large for one record. */
export const flagChunked = 64;
/** The record is no entry of the user's and no look-up for users returns it: one chunk of such a
 *  value, an error under way or a back-off, each under an internal key, or a negative answer. A
 *  chunk's key alone has chunkKeySize bytes. */
export const flagChunk = 128;
/** flagChunked and flagChunk: a negative answer. It has the user's key, no value (codecNegative)
 *  and no disk location. */
export const flagNegative = 192;
/** With flagCompressed, which no record without a value has otherwise: a delete that carried a
 *  revision. It differs from a negative answer in that nothing is remembered of the source. */
export const flagDeletion = 224;
/** The two flags that say which records users see, and which belong together. */
export const flagsOfParts = 192;

export const headBytes = 0;
export const headChunks = 4;
export const headHash = 8;
export const headId = 16;
export const headRound = 24;
export const headChunkBytes = 28;
/** Without the numbers that are skipped. */
export const headSize = 32;
export const chunkHash = 1;
export const chunkId = 9;
export const chunkNumber = 17;
export const chunkKeySize = 21;

/** 2020-01-01T00:00:00Z. Creation times count from here, so that they fit 40 bits. */
const createdEpochMs = 1577836800000;

/**
 * The base of creation times for a cache whose clock shows `nowMs`. An injected clock may be before
 * 2020.
 */
export function createdBaseOf(nowMs: number): number {
  return nowMs < createdEpochMs ? 0 : createdEpochMs;
}
