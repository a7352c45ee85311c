// The schemas that have an id, by the keys of the object that is to be encoded. Called by the
// packer, which adds them, and by the plain encoder, which asks for each object. Only grows.

/** A schema and its id as a value names it. */
export interface KnownSchema {
  readonly keys: readonly string[];
  /** The bytes of the id as msgpackr writes it; `second` is -1 for an id of one byte. */
  readonly first: number;
  readonly second: number;
  /** The schema of the object that came after the last one with this schema: a guess. */
  after: KnownSchema | undefined;
}

/** A step of the search: the keys that may come next, and the schema that ends here. */
interface Node {
  readonly next: Map<string, Node>;
  schema: KnownSchema | undefined;
}

/** Ids below this take one byte. A two-byte id begins with one of the next 32. */
export const oneByteIds = 32;
/** msgpackr's first id; the bytes below are small numbers. */
const firstIdByte = 0x40;

export class KnownSchemas {
  readonly #root: Node = { next: new Map(), schema: undefined };

  add(keys: readonly string[], id: number): void {
    let node = this.#root;
    for (const key of keys) {
      let next = node.next.get(key);
      if (next === undefined) node.next.set(key, (next = { next: new Map(), schema: undefined }));
      node = next;
    }
    const isShort = id < oneByteIds;
    node.schema = {
      keys: keys.map(internalized),
      first: firstIdByte + (isShort ? id : oneByteIds + (id % oneByteIds)),
      second: isShort ? -1 : Math.floor((id - oneByteIds) / oneByteIds),
      after: undefined,
    };
  }

  /** The schema of exactly the keys that a `for` loop over `value` meets, in their order. */
  find(value: object): KnownSchema | undefined {
    let node = this.#root;
    for (const key in value) {
      const next = node.next.get(key);
      if (next === undefined) return undefined;
      node = next;
    }
    return node.schema;
  }
}

/** The string with these characters that V8 uses for the keys of objects: comparing it with a key
 *  compares two pointers. */
function internalized(key: string): string {
  return Object.keys({ [key]: 0 })[0] as string;
}
