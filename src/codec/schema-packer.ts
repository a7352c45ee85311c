// Packs plain data with its objects' keys left to the schema dictionary: a value of a known schema is smaller by its keys, and
// read by a function made for that schema, in a third of the time. One per thread and cache; called by the value codec.
// Invariants: msgpackr never gives an id to a schema itself (the table does, for all threads); a value that names a schema
// this thread cannot know throws at reading, and is never read as something else.
//
// Ids in msgpackr: the schemas are its shared structures, 1 byte for the first 32 and 2 for the others. Keys of an object
// without a schema stand in the value, as a definition with an id from behind the schemas' for that value alone.

import { Packr, Unpackr } from "msgpackr";

import { schemasMax, type SchemaTable } from "../dictionary/mod.js";
import { isPacking, pack, packOptions } from "./scratch.js";
import { SchemaSampler } from "./schema-sampler.js";

/** Ids for definitions within one value. */
const ownSchemasMax = 64;
/** Ids below this take one byte; two more bytes begin with the id of one of the next 32. */
const oneByteIds = 32;

/** A list of keys as msgpackr wants it. */
interface Structure extends Array<string> {
  isShared?: boolean;
  /** The second byte of the id, for an id of two. */
  highByte?: number;
}

interface Structures extends Array<unknown> {
  sharedLength?: number;
  /** The trie by which an object's keys are found; made anew if it is not there. */
  transitions?: object | null;
}

export class SchemaPacker {
  readonly #table: SchemaTable;
  readonly #sampler = new SchemaSampler();
  readonly #written: Structures = [];
  readonly #packr: Packr;
  #writtenCount = 0;
  readonly #read: Structures = [];
  #unpackr: Unpackr | undefined;
  #readCount = 0;
  readonly #range = { start: 0, end: 0 };

  constructor(table: SchemaTable) {
    this.#table = table;
    this.#packr = new Packr({
      ...packOptions,
      structures: this.#written as object[],
      maxSharedStructures: schemasMax,
      maxOwnStructures: ownSchemasMax,
      shouldShareStructure: (keys) => {
        this.#sampler.note(keys);
        return false;
      },
    });
  }

  /** As `pack` of scratch.ts: the bytes, good until the next call on this thread; `undefined` inside another call. */
  pack(value: unknown): Uint8Array | undefined {
    // A getter of the value being packed has come back here.
    if (isPacking()) return undefined;
    if (this.#table.count !== this.#writtenCount) this.#learnToWrite();
    const bytes = pack(value, this.#packr);
    const ripe = this.#sampler.takeRipe();
    // From the next value on: the bytes of this one are there.
    if (ripe !== undefined && !this.#table.isFull) this.#table.add(ripe, this.#writtenCount);
    return bytes;
  }

  /** The value of bytes that a `pack` made, on whichever thread. Throws if there is none or a schema is lost. */
  unpack(buffer: Buffer, start: number, end: number): unknown {
    // A schema is counted before any value with it can be found.
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
 * What stands for a schema that is not known. Without it msgpackr takes the id for a number. The ids from 32 to 63 begin all
 * ids of two bytes, so theirs must let msgpackr make the reader that looks at the second byte, and refuse only behind it.
 */
function missingStructure(id: number): object {
  if (id < oneByteIds || id >= 2 * oneByteIds) return { isShared: true, read: refuse };
  return {
    isShared: true,
    highByte: 0,
    get length(): number {
      return refuse();
    },
    // msgpackr makes a faster reader after some calls, from keys that are not there.
    set read0(reader: { count: number }) {
      reader.count = -Infinity;
    },
  };
}
