// Whether a tag of what is not in memory (a record read from disk, a load) has been invalidated: the kernel says so for records
// in memory. Called by the disk tier's reader, by reclaim and by the flights.
import { type Kernel, layout as at } from "../kernel/mod.js";
import type { RecordReader } from "../record/mod.js";

/** Was a tag of this record invalidated since it was written? Writes over the key in the thread's window. */
export function isTagInvalidated(kernel: Kernel, record: RecordReader): boolean {
  const field = record.tagsField();
  return field.length > 0 && areTagsInvalidated(kernel, field, record.sequence);
}

/** Was a tag of this field invalidated at this sequence or later? Writes over the key in the thread's window. */
export function areTagsInvalidated(kernel: Kernel, field: Uint8Array, sequence: number): boolean {
  const place = kernel.block + at.threadKeyScratch;
  kernel.views.u8.set(field, place);
  return kernel.verbs.checkTags(place, sequence) === 1;
}
