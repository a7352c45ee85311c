// The worker's side of an asynchronous set: compresses the value and publishes it. A worker
// attaches to each cache once and keeps its thread id until it exits.
import { compress } from "../codec/mod.js";
import { type Attachment, attachThread } from "../eviction/mod.js";
import { Kernel } from "../kernel/mod.js";
import { type MemoryWriter, type WriteOutcome, writeValue } from "../memory/mod.js";
import { flagCompressed } from "../record/mod.js";
import type { StoreTask } from "./pool-messages.js";

const attached = new Map<string, Attachment>();
/** By cache and namespace. */
const writers = new Map<string, MemoryWriter>();

/** Stores a value and returns the outcome. Runs in a worker of the pool. */
export function storeValue(task: StoreTask): WriteOutcome {
  const writer = writers.get(nameOf(task)) ?? writerOf(task);
  const deflated = compress(task.bytes);
  return writeValue(writer, task.key, deflated ?? task.bytes, {
    codecId: task.codecId,
    flags: deflated === null ? 0 : flagCompressed,
    createdMs: task.createdMs,
    expiresMs: task.expiresMs,
    staleUntilMs: task.staleUntilMs,
    tags: writer.kernel.tags.encode(task.tags),
    flight: task.flight,
    forDisk: task.forDisk,
  });
}

function nameOf({ cacheId, space }: StoreTask): string {
  return `${space} ${cacheId}`;
}

function writerOf(task: StoreTask): MemoryWriter {
  const { writer } = (attached.get(task.cacheId) ?? attach(task)).within(task.space);
  writers.set(nameOf(task), writer);
  return writer;
}

function attach({ handle, cacheId }: StoreTask): Attachment {
  const kernel = Kernel.attach(handle.module, handle.memory, "pool");
  // A failed tombstone write takes the disk tier down; the janitor notices and reports it.
  const made = attachThread(kernel, handle, () => undefined, null, true);
  attached.set(cacheId, made);
  return made;
}
