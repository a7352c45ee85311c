// Which records a tag's invalidation voids. A record is invalidated if one of its tags was
// invalidated at its sequence or later, or if the floor reaches its sequence.
import * as at from "../../layout";
import * as rec from "../../../record/record-layout";
import { flagsOf, isClearedRecord, sequenceOf } from "../segments/record";
import { newestInvalidationOf } from "./tag-table";

/** The address of the tags field of a record with these flags. */
function fieldOf(record: usize, flags: u32): usize {
  const before =
    (flags & rec.flagDiskLocation ? 8 : 0) +
    (flags & rec.flagExpires ? 8 : 0) +
    (flags & rec.flagStale ? 8 : 0);
  return record + rec.recordHeaderSize + before;
}

/** True if a tag of this field was invalidated at `sequence` or later. A torn field gives a
 *  meaningless answer, but every read stays in bounds. The floor comes after the table: a tag loses
 *  its slot only once the floor covers it. */
export function isAnyTagInvalidated(field: usize, sequence: u64): bool {
  if (sequence > atomic.load<u64>(at.controlTagNewest)) return false;
  const tags = min<u32>(load<u16>(field), rec.recordTagsMax);
  for (let tag: u32 = 0; tag < tags; tag++) {
    const hash = load<u64>(field + rec.tagsHeaderSize + (<usize>tag << 3));
    if (newestInvalidationOf(hash) >= sequence) return true;
  }
  return sequence <= atomic.load<u64>(at.controlTagFloor);
}

/** True if a tag of the record was invalidated after the record was written. */
// @ts-ignore: decorator
@inline
export function isTagInvalidated(record: usize): bool {
  const flags = flagsOf(record);
  return (
    (flags & rec.flagTags) != 0 && isAnyTagInvalidated(fieldOf(record, flags), sequenceOf(record))
  );
}

/** True if the record was cleared, or one of its tags invalidated. */
export function isInvalidated(record: usize): bool {
  return isClearedRecord(record) || isTagInvalidated(record);
}

/** As isTagInvalidated, for a fill, whose header is not written yet: true if one of its tags was
 *  invalidated after `sequence`, the newest when its flight began. */
export function isFillInvalidated(record: usize, flags: u32, sequence: u64): bool {
  return (flags & rec.flagTags) != 0 && isAnyTagInvalidated(fieldOf(record, flags), sequence + 1);
}

/** `isAnyTagInvalidated` for JavaScript: a tags field anywhere in the memory, and the sequence
 *  as a double. */
export function checkTags(field: u32, sequence: f64): u32 {
  return isAnyTagInvalidated(field, <u64>sequence) ? 1 : 0;
}
