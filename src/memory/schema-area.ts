// The schema dictionary in shared memory as one thread uses it. Its bytes are described by
// dictionary/schema-image.ts, its words by docs/internals/memory.md. Called by each thread's codec.
// Invariants: a schema's bytes are in memory and in the directory's file before the count includes
// it, so no value on disk names a missing schema. A thread that finds the lock taken adds nothing.
import { alignUp } from "../base/mod.js";
import {
  decodeSchema,
  encodeSchema,
  schemaBytesMax,
  schemaEntriesStart,
  schemaImageBytes,
  schemaSlotBytes,
  schemaSlotOf,
  schemasMax,
  type SchemaTable,
} from "../dictionary/mod.js";
import { type Kernel } from "../kernel/mod.js";

/** Most waits of a millisecond for a thread that adds a schema. */
const schemaLockWaitsMax = 50;

/** Where bytes of the table are, here and in the directory's file. */
export interface SchemaBytes {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** Writes an entry to the directory's file, and then its slot; false if that failed. */
export type SchemaWriter = (entry: SchemaBytes, slot: SchemaBytes) => boolean;

/** Loads the directory's schemas into a memory that has none; null for no directory. Other threads
 *  may have attached already: while the directory was another cache's they have added none, and a
 *  lock owner that has stopped has left no id. */
export function loadSchemas(
  kernel: Kernel,
  schemas: { readonly image: Uint8Array; readonly count: number; readonly end: number } | null,
): void {
  const lock = kernel.locks.schema;
  const isLocked = lock.lock(schemaLockWaitsMax);
  try {
    if (schemas !== null) kernel.schemaTable.set(schemas.image);
    kernel.control.setSchemaEnd(schemas?.end ?? schemaEntriesStart);
    kernel.control.setSchemaCount(Math.min(schemas?.count ?? 0, schemasMax));
  } finally {
    if (isLocked) lock.unlock();
  }
}

export class SchemaArea implements SchemaTable {
  readonly #kernel: Kernel;
  readonly #write: SchemaWriter | null;
  readonly #image: Buffer;

  /** `write` is null for a cache without a directory. */
  constructor(kernel: Kernel, write: SchemaWriter | null) {
    this.#kernel = kernel;
    this.#write = write;
    const { buffer, byteOffset } = kernel.schemaTable;
    this.#image = Buffer.from(buffer, byteOffset, schemaImageBytes);
  }

  get count(): number {
    return this.#kernel.control.schemaCount();
  }

  get isFull(): boolean {
    const end = this.#kernel.control.schemaEnd();
    return this.count >= schemasMax || end + schemaBytesMax > schemaImageBytes;
  }

  keysOf(id: number): readonly string[] | null {
    const slot = schemaSlotOf(id);
    const offset = this.#image.readUInt32LE(slot);
    const bytes = this.#image.readUInt32LE(slot + 4);
    return offset === 0 ? null : decodeSchema(this.#image.subarray(offset, offset + bytes), id);
  }

  add(keys: readonly string[], known: number): boolean {
    const lock = this.#kernel.locks.schema;
    if (!lock.tryLock()) return false;
    try {
      if (this.count !== known || this.isFull) return false;
      const entry = encodeSchema(known, keys);
      return entry !== null && this.#append(known, entry);
    } finally {
      lock.unlock();
    }
  }

  /** Under the lock. Until the count is raised the bytes belong to nobody: the next add overwrites
   *  them. */
  #append(id: number, entry: Buffer): boolean {
    const image = this.#image;
    const { control, results } = this.#kernel;
    const offset = control.schemaEnd();
    image.set(entry, offset);
    this.#kernel.hashSchema(offset, entry.length);
    const slot = schemaSlotOf(id);
    image.writeUInt32LE(offset, slot);
    image.writeUInt32LE(entry.length, slot + 4);
    image.writeUInt32LE(results.hashLow, slot + 8);
    image.writeUInt32LE(results.hashHigh, slot + 12);
    const write = this.#write;
    if (write !== null) {
      const slotBytes = image.subarray(slot, slot + schemaSlotBytes);
      if (!write({ bytes: entry, offset }, { bytes: slotBytes, offset: slot })) return false;
    }
    control.setSchemaEnd(alignUp(offset + entry.length, 8));
    control.setSchemaCount(id + 1);
    return true;
  }
}
