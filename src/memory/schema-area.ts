// The schema dictionary in shared memory, as one thread uses it (the bytes: schemas/schema-image.ts; the words: shared-memory.md).
// Called by the codec of each thread. Invariants: a schema's bytes stand in memory and in the directory's file before the
// count includes it, so a value that names it is never durable before it; who cannot have the lock at once adds nothing.
import { alignUp } from "../base/mod.js";
import {
  decodeDictionary,
  decodeSchema,
  encodeDictionary,
  encodeSchema,
  dictionaryBytesMax,
  dictionariesMax,
  schemaBytesMax,
  schemaEntriesStart,
  schemaImageBytes,
  schemaSlotBytes,
  schemaSlotOf,
  schemasMax,
  type SchemaTable,
} from "../dictionary/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";

/** Writes bytes of the table to the directory's file, at the same offset; false if that failed. */
export type SchemaWriter = (bytes: Uint8Array, offset: number) => boolean;

/** Puts what the directory remembers into a memory that no thread has attached to yet; null for no directory. */
export function loadSchemas(
  memory: WebAssembly.Memory,
  schemas: { readonly image: Uint8Array; readonly count: number; readonly end: number } | null,
): void {
  const words = new Uint32Array(memory.buffer, 0, at.controlBlockSize / 4);
  words[at.controlSchemaCount / 4] = Math.min(schemas?.count ?? 0, schemasMax);
  words[at.controlSchemaEnd / 4] = schemas?.end ?? schemaEntriesStart;
  if (schemas !== null) new Uint8Array(memory.buffer).set(schemas.image, at.schemaTable);
}

export class SchemaArea implements SchemaTable {
  readonly #kernel: Kernel;
  readonly #write: SchemaWriter | null;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #image: Buffer;

  /** `write` is null for a cache without a directory. */
  constructor(kernel: Kernel, write: SchemaWriter | null) {
    this.#kernel = kernel;
    this.#write = write;
    this.#i32 = kernel.views.i32;
    this.#u32 = kernel.views.u32;
    this.#image = Buffer.from(kernel.views.u8.buffer, at.schemaTable, schemaImageBytes);
  }

  get count(): number {
    return Atomics.load(this.#i32, at.controlSchemaCount / 4);
  }

  get isFull(): boolean {
    const end = Atomics.load(this.#i32, at.controlSchemaEnd / 4);
    return this.count >= schemasMax || end + schemaBytesMax > schemaImageBytes;
  }

  keysOf(id: number): readonly string[] | null {
    const entry = this.#entryOf(id);
    return entry === null ? null : decodeSchema(entry, id);
  }

  symbolsOf(id: number): readonly Uint8Array[] | null {
    const entry = this.#entryOf(id);
    return entry === null ? null : decodeDictionary(entry, id);
  }

  #entryOf(id: number): Buffer | null {
    const slot = (at.schemaTable + schemaSlotOf(id)) / 4;
    const offset = this.#u32[slot] as number;
    const bytes = this.#u32[slot + 1] as number;
    return offset === 0 ? null : this.#image.subarray(offset, offset + bytes);
  }

  add(keys: readonly string[], known: number): boolean {
    return this.#locked(() => {
      if (this.count !== known || this.isFull) return false;
      const entry = encodeSchema(known, keys);
      return entry !== null && this.#append(known, entry);
    });
  }

  /** Room for another compression dictionary? */
  get takesDictionaries(): boolean {
    const end = Atomics.load(this.#i32, at.controlSchemaEnd / 4);
    const bytes = dictionaryBytesMax + schemaBytesMax;
    if (this.count >= schemasMax || end + bytes > schemaImageBytes) return false;
    let dictionaries = 0;
    for (let id = 0; id < this.count; id++) if (this.symbolsOf(id) !== null) dictionaries += 1;
    return dictionaries < dictionariesMax;
  }

  /** Gives a compression dictionary an id, if there is room for one; false as `add`. */
  addDictionary(symbols: readonly Uint8Array[]): boolean {
    return this.#locked(() => {
      const id = this.count;
      return this.takesDictionaries && this.#append(id, encodeDictionary(id, symbols));
    });
  }

  #locked(add: () => boolean): boolean {
    const word = at.controlSchemaLock / 4;
    const self = this.#kernel.thread + 1;
    if (Atomics.compareExchange(this.#i32, word, 0, self) !== 0) return false;
    try {
      return add();
    } finally {
      Atomics.store(this.#i32, word, 0);
    }
  }

  /** Under the lock. Until the count is raised the bytes are nobody's: the next to add writes over them. */
  #append(id: number, entry: Buffer): boolean {
    const image = this.#image;
    const offset = Atomics.load(this.#i32, at.controlSchemaEnd / 4);
    image.set(entry, offset);
    this.#kernel.verbs.hashKey(at.schemaTable + offset, entry.length);
    const results = this.#kernel.block / 4;
    const slotOffset = schemaSlotOf(id);
    const slot = (at.schemaTable + slotOffset) / 4;
    this.#u32[slot] = offset;
    this.#u32[slot + 1] = entry.length;
    this.#u32[slot + 2] = this.#u32[results + at.resultHashLow / 4] as number;
    this.#u32[slot + 3] = this.#u32[results + at.resultHashHigh / 4] as number;
    const write = this.#write;
    if (write !== null) {
      const slotBytes = image.subarray(slotOffset, slotOffset + schemaSlotBytes);
      if (!write(entry, offset) || !write(slotBytes, slotOffset)) return false;
    }
    Atomics.store(this.#i32, at.controlSchemaEnd / 4, alignUp(offset + entry.length, 8));
    Atomics.store(this.#i32, at.controlSchemaCount / 4, id + 1);
    return true;
  }
}
