// Whether a tag of a record that was read from disk has been invalidated: the kernel says so for records in memory. Called by
// the disk tier's reader and by reclaim.
import { type Kernel, layout as at } from "../kernel/mod.js";
import type { RecordReader } from "../record/mod.js";

/** Was a tag of this record invalidated since it was written? Writes over the key in the thread's window. */
export function isInvalidated(kernel: Kernel, record: RecordReader): boolean {
  const field = record.tagsField();
  if (field.length === 0) return false;
  const place = kernel.block + at.threadKeyScratch;
  kernel.views.u8.set(field, place);
  return kernel.verbs.checkTags(place, record.sequence) === 1;
}
