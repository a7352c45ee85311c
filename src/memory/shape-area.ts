// The table of shapes in shared memory, as one thread uses it (the bytes: shapes/shape-image.ts; the words: shared-memory.md).
// Called by the codec of each thread. Invariants: a shape's bytes stand in memory and in the directory's file before the
// count includes it, so a value that names it is never durable before it; who cannot have the lock at once adds nothing.
import { alignUp } from "../base/mod.js";
import {
  decodePhrases,
  decodeShape,
  encodePhrases,
  encodeShape,
  phraseBookBytesMax,
  phraseBooksMax,
  shapeBytesMax,
  shapeEntriesStart,
  shapeImageBytes,
  shapeSlotBytes,
  shapeSlotOf,
  shapesMax,
  type ShapeTable,
} from "../shapes/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";

/** Writes bytes of the table to the directory's file, at the same offset; false if that failed. */
export type ShapeWriter = (bytes: Uint8Array, offset: number) => boolean;

/** Puts what the directory remembers into a memory that no thread has attached to yet; null for no directory. */
export function restoreShapes(
  memory: WebAssembly.Memory,
  shapes: { readonly image: Uint8Array; readonly count: number; readonly end: number } | null,
): void {
  const words = new Uint32Array(memory.buffer, 0, at.controlBlockSize / 4);
  words[at.controlShapeCount / 4] = Math.min(shapes?.count ?? 0, shapesMax);
  words[at.controlShapeEnd / 4] = shapes?.end ?? shapeEntriesStart;
  if (shapes !== null) new Uint8Array(memory.buffer).set(shapes.image, at.shapeTable);
}

export class ShapeArea implements ShapeTable {
  readonly #kernel: Kernel;
  readonly #write: ShapeWriter | null;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #image: Buffer;

  /** `write` is null for a cache without a directory. */
  constructor(kernel: Kernel, write: ShapeWriter | null) {
    this.#kernel = kernel;
    this.#write = write;
    this.#i32 = kernel.views.i32;
    this.#u32 = kernel.views.u32;
    this.#image = Buffer.from(kernel.views.u8.buffer, at.shapeTable, shapeImageBytes);
  }

  get count(): number {
    return Atomics.load(this.#i32, at.controlShapeCount / 4);
  }

  get isFull(): boolean {
    const end = Atomics.load(this.#i32, at.controlShapeEnd / 4);
    return this.count >= shapesMax || end + shapeBytesMax > shapeImageBytes;
  }

  keysOf(id: number): readonly string[] | null {
    const entry = this.#entryOf(id);
    return entry === null ? null : decodeShape(entry, id);
  }

  phrasesOf(id: number): readonly Uint8Array[] | null {
    const entry = this.#entryOf(id);
    return entry === null ? null : decodePhrases(entry, id);
  }

  #entryOf(id: number): Buffer | null {
    const slot = (at.shapeTable + shapeSlotOf(id)) / 4;
    const offset = this.#u32[slot] as number;
    const bytes = this.#u32[slot + 1] as number;
    return offset === 0 ? null : this.#image.subarray(offset, offset + bytes);
  }

  add(keys: readonly string[], known: number): boolean {
    return this.#locked(() => {
      if (this.count !== known || this.isFull) return false;
      const entry = encodeShape(known, keys);
      return entry !== null && this.#append(known, entry);
    });
  }

  /** Room for another book of phrases? */
  get takesBooks(): boolean {
    const end = Atomics.load(this.#i32, at.controlShapeEnd / 4);
    const bytes = phraseBookBytesMax + shapeBytesMax;
    if (this.count >= shapesMax || end + bytes > shapeImageBytes) return false;
    let books = 0;
    for (let id = 0; id < this.count; id++) if (this.phrasesOf(id) !== null) books += 1;
    return books < phraseBooksMax;
  }

  /** Gives a book of phrases an id, if there is room for one; false as `add`. */
  addBook(phrases: readonly Uint8Array[]): boolean {
    return this.#locked(() => {
      const id = this.count;
      return this.takesBooks && this.#append(id, encodePhrases(id, phrases));
    });
  }

  #locked(add: () => boolean): boolean {
    const word = at.controlShapeLock / 4;
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
    const offset = Atomics.load(this.#i32, at.controlShapeEnd / 4);
    image.set(entry, offset);
    this.#kernel.verbs.hashKey(at.shapeTable + offset, entry.length);
    const results = this.#kernel.block / 4;
    const slotOffset = shapeSlotOf(id);
    const slot = (at.shapeTable + slotOffset) / 4;
    this.#u32[slot] = offset;
    this.#u32[slot + 1] = entry.length;
    this.#u32[slot + 2] = this.#u32[results + at.resultHashLow / 4] as number;
    this.#u32[slot + 3] = this.#u32[results + at.resultHashHigh / 4] as number;
    const write = this.#write;
    if (write !== null) {
      const slotBytes = image.subarray(slotOffset, slotOffset + shapeSlotBytes);
      if (!write(entry, offset) || !write(slotBytes, slotOffset)) return false;
    }
    Atomics.store(this.#i32, at.controlShapeEnd / 4, alignUp(offset + entry.length, 8));
    Atomics.store(this.#i32, at.controlShapeCount / 4, id + 1);
    return true;
  }
}
