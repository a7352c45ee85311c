// Reads and writes the header of a record in shared memory.
// ../../../record/record-layout.ts describes it.
import * as at from "../../layout";
import * as rec from "../../../record/record-layout";
import { epochOf, seedOf } from "../geometry";
import { xxh64 } from "../xxh64";

// @ts-ignore: decorator
@inline
export function recordSizeOf(record: usize): u32 {
  return load<u32>(record, rec.recordSize) & rec.recordSizeMask;
}

/** The id of the namespace of the record's key. */
// @ts-ignore: decorator
@inline
export function spaceOf(record: usize): u32 {
  return load<u8>(record, rec.recordSpace);
}

// @ts-ignore: decorator
@inline
export function keyLengthOf(record: usize): u32 {
  return <u32>load<u16>(record, rec.recordKeyLength) + 1;
}

/** The word that holds the sequence, the extension units and the high byte of the creation time. */
// @ts-ignore: decorator
@inline
export function sequenceWordOf(record: usize): u64 {
  return load<u64>(record, rec.recordSequence);
}

// @ts-ignore: decorator
@inline
export function sequenceOf(record: usize): u64 {
  return sequenceWordOf(record) & 0xffffffffffff;
}

// @ts-ignore: decorator
@inline
export function keyOf(record: usize): usize {
  return record + rec.recordHeaderSize + ((<usize>load<u8>(record, rec.recordExtensionUnits)) << 3);
}

// @ts-ignore: decorator
@inline
export function flagsOf(record: usize): u32 {
  return load<u8>(record, rec.recordFlags);
}

/** A negative answer, or a delete with a revision: a record without a value, which no look-up for
 *  users returns. */
export function isValueless(record: usize): bool {
  return (flagsOf(record) & rec.flagNegative) == rec.flagNegative;
}

/** A record that a delete with a revision left, by its flags. */
// @ts-ignore: decorator
@inline
export function isDeletion(flags: u32): bool {
  return (flags & rec.flagDeletion) == rec.flagDeletion;
}

/** The caller's revision of a record, -1 if it has none. */
export function revisionOf(record: usize): f64 {
  if ((load<u8>(record, rec.recordCodec) & rec.recordHasRevision) == 0) return -1;
  return load<f64>(keyOf(record) - 8);
}

/** How long the loader of a record took, as a class of 3 bits. */
export function loadClassOf(record: usize): u32 {
  return (<u32>load<u8>(record, rec.recordCodec) >> rec.recordLoadShift) & rec.recordLoadMask;
}

/** The record's disk location, 0 if it has none. Call only under the key's lock, or as the
 *  janitor. */
// @ts-ignore: decorator
@inline
export function diskLocationOf(record: usize): u64 {
  return flagsOf(record) & rec.flagDiskLocation
    ? atomic.load<u64>(record, rec.recordHeaderSize)
    : 0;
}

// @ts-ignore: decorator
@inline
export function setDiskLocation(record: usize, location: u64): void {
  if (flagsOf(record) & rec.flagDiskLocation)
    atomic.store<u64>(record, location, rec.recordHeaderSize);
}

/** When the record expires, in wall-clock ms; 0 = never. */
export function expiresOf(record: usize): f64 {
  const flags = flagsOf(record);
  if ((flags & rec.flagExpires) == 0) return 0;
  return load<f64>(record + rec.recordHeaderSize + (flags & rec.flagDiskLocation ? 8 : 0));
}

/** The moment after which the record is served to nobody, not even as a stale value; 0 = never. */
export function deadlineOf(record: usize): f64 {
  const flags = flagsOf(record);
  if ((flags & rec.flagExpires) == 0) return 0;
  const field = record + rec.recordHeaderSize + (flags & rec.flagDiskLocation ? 8 : 0);
  return flags & rec.flagStale ? load<f64>(field + 8) : load<f64>(field);
}

/** Is the record with these flags a chunk, or another internal record, whose key is shorter? */
// @ts-ignore: decorator
@inline
export function isChunk(flags: u32): bool {
  return (flags & rec.flagsOfParts) == rec.flagChunk;
}

/** Is the record with these flags the head of a value in chunks? */
// @ts-ignore: decorator
@inline
export function isHead(flags: u32): bool {
  return (flags & rec.flagsOfParts) == rec.flagChunked;
}

/** The value of a record, such as the list that a head is. */
// @ts-ignore: decorator
@inline
export function valueOf(record: usize): usize {
  return keyOf(record) + keyLengthOf(record);
}

/** Bytes of the entry that a record is or is the head of; 0 for an internal record. The record may
 *  be changing: the answer is meaningless then, but every read stays in the memory. */
export function entrySizeOf(record: usize): u32 {
  const parts = flagsOf(record) & rec.flagsOfParts;
  const size = recordSizeOf(record);
  if (parts == 0 || parts == rec.flagNegative) return size;
  return parts == rec.flagChunked ? size + load<u32>(valueOf(record), rec.headBytes) : 0;
}

/** Is this the record's key, of the same namespace? Space and length are next to each other, so one
 *  compare tells. */
// @ts-ignore: decorator
@inline
export function isKeyOf(record: usize, key: usize, extent: u32): bool {
  const length = extent & at.extentLengthMask;
  const wanted = (extent >> at.extentSpaceShift) | ((length - 1) << 8);
  return (
    (load<u32>(record, rec.recordSpace) & 0xffffff) == wanted && sameKey(keyOf(record), key, length)
  );
}

/** Hashes a key, as every verb does. */
// @ts-ignore: decorator
@inline
export function hashOfKey(key: usize, extent: u32): u64 {
  return xxh64(key, extent & at.extentLengthMask, seedOf(extent >> at.extentSpaceShift));
}

/** The hash of a record's key. */
export function hashOfRecord(record: usize): u64 {
  return xxh64(keyOf(record), keyLengthOf(record), seedOf(spaceOf(record)));
}

/** True if the cache or the record's namespace was cleared after the record was written. */
// @ts-ignore: decorator
@inline
export function isClearedRecord(record: usize): bool {
  return sequenceOf(record) <= epochOf(spaceOf(record));
}

export function sameKey(left: usize, right: usize, length: u32): bool {
  let i: usize = 0;
  const whole = <usize>(length & ~7);
  for (; i < whole; i += 8) if (load<u64>(left + i) != load<u64>(right + i)) return false;
  for (; i < <usize>length; i += 1) if (load<u8>(left + i) != load<u8>(right + i)) return false;
  return true;
}
