// Tags: groups of entries that are invalidated together, at a cost independent of the group's size.
// An invalidation raises the cells of its tag to a new sequence. A record is invalidated if all
// cells of one of its tags have reached its sequence. Tags share cells, so a record may be
// invalidated needlessly but is never missed. A needless one takes other tags that cover all four
// cells, all invalidated after the record was written. (A sketch of maxima that takes the smallest
// of a key's cells, as in Cormode and Muthukrishnan 2005.)
import * as at from "../layout";
import * as rec from "../../record/record-layout";
import { counterTagInvalidations } from "../../stats/counters";
import { block, clearEpoch, count } from "./geometry";
import { flagsOf, sequenceOf } from "./segments/record";

/** The cell of a tag's hash for one probe. Two halves of one hash give all probes (Kirsch and
 *  Mitzenmacher 2006). */
// @ts-ignore: decorator
@inline
function cellOf(hash: u32, probe: u32): u32 {
  const mixed = <u64>hash * 0x9e3779b97f4a7c15;
  return (
    (<u32>(mixed >> (64 - at.tagCellsShift)) + probe * ((<u32>(mixed >> 32)) | 1)) &
    (at.tagCells - 1)
  );
}

// @ts-ignore: decorator
@inline
function cellAt(cell: u32): usize {
  return <usize>at.tagTable + ((<usize>cell) << 3);
}

/** The address of the tags field of a record with these flags. */
function fieldOf(record: usize, flags: u32): usize {
  const before =
    (flags & rec.flagDiskLocation ? 8 : 0) +
    (flags & rec.flagExpires ? 8 : 0) +
    (flags & rec.flagStale ? 8 : 0);
  return record + rec.recordHeaderSize + before;
}

/** True if a tag of this field was invalidated at `sequence` or later. A torn field gives a
 *  meaningless answer, but every read stays in bounds. */
export function isAnyTagInvalidated(field: usize, sequence: u64): bool {
  if (sequence <= atomic.load<u64>(at.controlTagFloor)) return true;
  const tags = min<u32>(load<u16>(field), rec.recordTagsMax);
  for (let tag: u32 = 0; tag < tags; tag++) {
    const hash = load<u32>(field + 4 + (<usize>tag << 2));
    let probe: u32 = 0;
    while (probe < <u32>at.tagProbes && atomic.load<u64>(cellAt(cellOf(hash, probe))) >= sequence)
      probe += 1;
    if (probe == <u32>at.tagProbes) return true;
  }
  return false;
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
  return sequenceOf(record) <= clearEpoch() || isTagInvalidated(record);
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

/** Raises a cell to `sequence`. A cell never goes down. */
function raise(cell: u32, sequence: u64): void {
  let seen = atomic.load<u64>(cellAt(cell));
  while (seen < sequence) {
    const was = atomic.cmpxchg<u64>(cellAt(cell), seen, sequence);
    if (was == seen) return;
    seen = was;
  }
}

function raiseAll(hash: u32): u64 {
  const sequence = atomic.add<u64>(at.controlSequence, 1) + 1;
  for (let probe: u32 = 0; probe < <u32>at.tagProbes; probe++) raise(cellOf(hash, probe), sequence);
  return sequence;
}

/** Invalidates every record with this tag; answers the sequence. It raises the cells twice
 *  because of fills, as `clear` does (mod.ts). The tag epoch comes last: whatever a thread finds
 *  after it saw the new epoch, it checks against the raised cells. */
export function invalidateTag(hash: u32): f64 {
  raiseAll(hash);
  const sequence = raiseAll(hash);
  atomic.add<u32>(at.controlTagEpoch, 1);
  count(counterTagInvalidations, 1);
  for (let probe: u32 = 0; probe < <u32>at.tagProbes; probe++) {
    store<u32>(block + (<usize>probe << 2), cellOf(hash, probe), at.resultTagCells);
  }
  return <f64>sequence;
}

/** Recovery calls this before any other thread attaches: what an earlier session invalidated
 *  stays invalidated. */
export function restoreTagCell(cell: u32, sequence: f64): void {
  raise(cell, <u64>sequence);
}

/** Recovery calls this: tagged records up to this sequence are invalidated. */
export function raiseTagFloor(sequence: f64): void {
  atomic.store<u64>(at.controlTagFloor, <u64>sequence);
}
