// The layout of one record. The same bytes stand in a memory segment and in a segment file; this file owns it, and
// the kernel (AssemblyScript), the memory tier and the disk tier read and write records through these constants only.
// Every number is little-endian; a record starts on 8 bytes in memory and on 16 bytes on disk.
//
//    0 ┬ size            u32  bytes of header, extension, key and value; the padding after them is not counted
//    4 ├ keyLength - 1   u16  a key has 1 to 65,536 bytes
//    6 ├ codec           u8   how the value is encoded (codec/codec.ts)
//    7 ├ flags           u8   which extension fields are there, and what the key and value are
//    8 ├ sequence        u48  order of all writes of a cache, over its whole life; 0 = reserved, not published
//   14 ├ extensionUnits  u8   bytes of the extension / 8
//   15 ├ createdHigh     u8  ┐ wall-clock milliseconds since the creation base, 40 bits (2020 until 2054)
//   16 ├ createdLow      u32 ┘
//   20 ├ checksum        u32  0 in memory; on disk the low half of XXH64 (see disk/layout.ts)
//   24 ├ extension            fields in this order, each there if its flag is set:
//      │   durable       u64  in memory: where the copy on disk is (a disk location, 0 = none);
//      │                      on disk: room for a keyed header tag, 0 today
//      │   expires       f64  wall-clock milliseconds since 1970
//      │   staleUntil    f64  wall-clock milliseconds since 1970
//      │   tags               u16 count, u16 bytes of the names, count × u32 tag hash, then each name as
//      │                      u16 length + UTF-8; zero padding to 8 bytes
//      ├ key                  bytes
//      └ value                bytes as the codec made them

export const recordSize = 0;
export const recordKeyLength = 4;
export const recordCodec = 6;
export const recordFlags = 7;
export const recordSequence = 8;
export const recordExtensionUnits = 14;
export const recordCreatedHigh = 15;
export const recordCreatedLow = 16;
export const recordChecksum = 20;
export const recordHeaderSize = 24;

/** Records start on this many bytes in memory. */
export const recordAlignment = 8;
export const keyLengthMax = 65536;
/** Tags of one record. */
export const recordTagsMax = 16;
/** 255 units of 8 bytes. */
export const extensionSizeMax = 2040;

export const flagDiskLocation = 1;
export const flagExpires = 2;
export const flagStale = 4;
export const flagTags = 8;
/** The key was given as bytes, not as a string. */
export const flagKeyBytes = 16;
/** The value bytes are deflated (large values encoded in the pool). */
export const flagCompressed = 32;
/** The value is the list of chunks of a value too large for one record. */
export const flagChunked = 64;
/** The record is one chunk of such a value; its key is internal. */
export const flagChunk = 128;

/** 2020-01-01T00:00:00Z: creation times count from here, so that they fit 40 bits. */
const createdEpochMs = 1577836800000;

/** From when creation times count, for a cache whose clock shows `nowMs`: an injected clock may stand in another age. */
export function createdBaseOf(nowMs: number): number {
  return nowMs < createdEpochMs ? 0 : createdEpochMs;
}
