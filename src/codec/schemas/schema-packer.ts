// Packs plain data and leaves the keys of its objects to the schema dictionary. A value whose
// schema has an id is smaller by its keys, and decodes in a third of the time, by a function made
// for that schema. One per thread and cache; called by the value codec. Invariants: msgpackr never
// assigns an id to a schema; the table does, for all threads. A value that names a schema this
// thread cannot know throws when it is read, and is never read as something else.

import { Packr, Unpackr } from "msgpackr";

import { schemasMax, type SchemaTable } from "../../dictionary/mod.js";
import { isPacking, pack, packOptions, refuseFunctions } from "../scratch.js";
import { KnownSchemas, oneByteIds } from "./known-schemas.js";
import { PlainEncoder } from "./plain-encoder.js";
import { SchemaSampler } from "./schema-sampler.js";

/** Ids for the definitions within one value. */
const ownSchemasMax = 64;

/** A list of keys in msgpackr's form. */
interface Structure extends Array<string> {
  isShared?: boolean;
  /** The second byte of a two-byte id. */
  highByte?: number;
}

interface Structures extends Array<unknown> {
  sharedLength?: number;
  /** The trie that finds an object's keys. msgpackr rebuilds it if it is missing. */
  transitions?: object | null;
}

/**
 * msgpackr sees the schemas as its shared structures: ids take 1 byte for the first 32 and 2 for
 * the others. The keys of an object without a schema are in the value, as a definition that takes
 * an id above the schemas' for this value only.
 */
export class SchemaPacker {
  readonly #table: SchemaTable;
  readonly #sampler = new SchemaSampler();
  readonly #known = new KnownSchemas();
  readonly #encoder = new PlainEncoder(this.#known);
  readonly #written: Structures = [];
  readonly #packr: Packr;
  #writtenCount = 0;
  readonly #read: Structures = [];
  #unpackr: Unpackr | undefined;
  #readCount = 0;
  readonly #range = { start: 0, end: 0 };

  constructor(table: SchemaTable) {
    this.#table = table;
    const packr = new Packr({
      ...packOptions,
      structures: this.#written as object[],
      maxSharedStructures: schemasMax,
      maxOwnStructures: ownSchemasMax,
      shouldShareStructure: (keys) => {
        this.#sampler.note(keys);
        return false;
      },
    });
    this.#packr = refuseFunctions(packr);
  }

  /** The bytes of a value, if the plain encoder can make them; valid until its next call. */
  encode(value: object): Uint8Array | undefined {
    // A getter of the value being packed called `set`.
    if (isPacking()) return undefined;
    if (this.#table.count !== this.#writtenCount) this.#learnToWrite();
    return this.#encoder.encode(value);
  }

  /**
   * As `pack` of scratch.ts: the bytes, valid until this thread's next call; `undefined` inside
   * another call.
   */
  pack(value: unknown): Uint8Array | undefined {
    // A getter of the value being packed called `set`.
    if (isPacking()) return undefined;
    if (this.#table.count !== this.#writtenCount) this.#learnToWrite();
    const bytes = pack(value, this.#packr);
    const ripe = this.#sampler.takeRipe();
    // Only later values use the new id: this one is already encoded.
    if (ripe !== undefined && !this.#table.isFull) this.#table.add(ripe, this.#writtenCount);
    return bytes;
  }

  /**
   * Decodes bytes that `pack` made on any thread. Throws if they hold no value, or if a schema is
   * lost.
   */
  unpack(buffer: Buffer, start: number, end: number): unknown {
    // The count includes a schema before any thread can find a value that names it.
    let unpackr = this.#unpackr;
    if (unpackr === undefined || this.#table.count !== this.#readCount) unpackr = this.#learn();
    this.#range.start = start;
    this.#range.end = end;
    return unpackr.unpack(buffer, this.#range) as unknown;
  }

  #learnToWrite(): void {
    const { count } = this.#table;
    for (let id = this.#writtenCount; id < count; id++) {
      const keys = this.#table.keysOf(id);
      this.#written[id] = keys === null ? undefined : structureOf(keys, id);
      if (keys !== null) this.#known.add(keys, id);
    }
    this.#written.sharedLength = count;
    this.#written.transitions = null;
    this.#writtenCount = count;
  }

  #learn(): Unpackr {
    if (this.#unpackr === undefined) {
      for (let id = 0; id < schemasMax; id++) this.#read[id] = missingStructure(id);
      this.#unpackr = new Unpackr({ ...packOptions, structures: this.#read as object[] });
    }
    const { count } = this.#table;
    for (let id = this.#readCount; id < count; id++) {
      const keys = this.#table.keysOf(id);
      if (keys !== null) this.#read[id] = structureOf(keys, id);
    }
    this.#readCount = count;
    return this.#unpackr;
  }
}

function structureOf(keys: readonly string[], id: number): Structure {
  const structure: Structure = [...keys];
  structure.isShared = true;
  if (id >= oneByteIds) structure.highByte = (id - oneByteIds) >> 5;
  return structure;
}

function refuse(): never {
  throw new Error("Cannot read a value: the schema dictionary has lost one of its schemas");
}

/**
 * Stands in for a schema this thread does not know; without it msgpackr reads the id as a number.
 * The ids from 32 to 63 begin every two-byte id, so their stand-ins must let msgpackr make the
 * reader that looks at the second byte. They throw only after that.
 */
function missingStructure(id: number): object {
  if (id < oneByteIds || id >= 2 * oneByteIds) return { isShared: true, read: refuse };
  return {
    isShared: true,
    highByte: 0,
    get length(): number {
      return refuse();
    },
    // After some calls msgpackr makes a faster reader from the keys, which are missing here. This
    // count keeps it from doing so.
    set read0(reader: { count: number }) {
      reader.count = -Infinity;
    },
  };
}
