// Tags: groups of entries that are invalidated together, in time that does not grow with them. An invalidation raises the
// cells of its tag to a new sequence; a record is gone when, for one of its tags, every cell is at least its sequence. Tags
// that share cells can only take too much away, never too little: with four cells each that needs four other tags, all
// invalidated since the record was written (a sketch of maxima: Cormode and Muthukrishnan 2005, with the smallest of a
// key's cells as the estimate, which is never below the truth).
import * as at from "../layout";
import * as rec from "../../record/layout";
import { counterTagInvalidations } from "../../stats/counters";
import { block, clearEpoch, count } from "./geometry";
import { flagsOf, sequenceOf } from "./segments/record";

/** The cell of a tag's hash for one probe: two numbers of the hash make all (Kirsch and Mitzenmacher 2006). */
// @ts-ignore: decorator
@inline
function cellOf(hash: u32, probe: u32): u32 {
  const mixed = <u64>hash * 0x9e3779b97f4a7c15;
  return (<u32>(mixed >> (64 - at.tagCellsShift)) + probe * (<u32>(mixed >> 32) | 1)) & (at.tagCells - 1);
}

// @ts-ignore: decorator
@inline
function cellAt(cell: u32): usize {
  return <usize>at.tagTable + ((<usize>cell) << 3);
}

/** Where the tags field of a record with these flags is. */
function fieldOf(record: usize, flags: u32): usize {
  const before = (flags & rec.flagDiskLocation ? 8 : 0) + (flags & rec.flagExpires ? 8 : 0) + (flags & rec.flagStale ? 8 : 0);
  return record + rec.recordHeaderSize + before;
}

/** Was a tag of this field invalidated at `sequence` or later? The field may be torn: then the answer is noise. */
export function isAnyTagInvalidated(field: usize, sequence: u64): bool {
  if (sequence <= atomic.load<u64>(at.controlTagFloor)) return true;
  const tags = min<u32>(load<u16>(field), rec.recordTagsMax);
  for (let tag: u32 = 0; tag < tags; tag++) {
    const hash = load<u32>(field + 4 + (<usize>tag << 2));
    let probe: u32 = 0;
    while (probe < <u32>at.tagProbes && atomic.load<u64>(cellAt(cellOf(hash, probe))) >= sequence) probe += 1;
    if (probe == <u32>at.tagProbes) return true;
  }
  return false;
}

/** Has a tag of the record been invalidated since it was written? */
// @ts-ignore: decorator
@inline
export function isTagInvalidated(record: usize): bool {
  const flags = flagsOf(record);
  return (flags & rec.flagTags) != 0 && isAnyTagInvalidated(fieldOf(record, flags), sequenceOf(record));
}

/** Was the record cleared, or a tag of it invalidated? */
export function isInvalidated(record: usize): bool {
  return sequenceOf(record) <= clearEpoch() || isTagInvalidated(record);
}

/** For a fill, whose header is not written yet: was a tag of it invalidated after `sequence`, when its flight began? */
export function isFillInvalidated(record: usize, flags: u32, sequence: u64): bool {
  return (flags & rec.flagTags) != 0 && isAnyTagInvalidated(fieldOf(record, flags), sequence + 1);
}

/** `isAnyTagInvalidated` for a tags field anywhere in the memory and a sequence as callers have it. */
export function checkTags(field: u32, sequence: f64): u32 {
  return isAnyTagInvalidated(field, <u64>sequence) ? 1 : 0;
}

/** Raises a cell, never down. */
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

/** Makes every record with this tag gone; answers the sequence. Twice, for the fills, as clear does (mod.ts). Near caches
 *  are told last: what a thread finds after it has seen that, it finds under the raised cells. */
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

/** After recovery, before any other thread is there: what an earlier life invalidated stays so. */
export function restoreTagCell(cell: u32, sequence: f64): void {
  raise(cell, <u64>sequence);
}

/** After recovery: tagged records up to this sequence are gone. */
export function raiseTagFloor(sequence: f64): void {
  atomic.store<u64>(at.controlTagFloor, <u64>sequence);
}
