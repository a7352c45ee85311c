// The values of the crash tests, made from key and version, so that a reader knows whether a value
// is whole and which write made it. Every 64 versions share a property name that no others have, so
// that new schemas are written all the time. Used by the program that is killed; the judge only
// sees versions.

/** A value of one key and version. */
export interface EntryValue {
  readonly key: string;
  readonly version: number;
  readonly fill: string;
  /** The version again, under a name that says which versions share it. */
  readonly [from: string]: string | number;
}

/** Versions with values of the same property names. */
const versionsOfSchema = 64;

/** Keys of one tag. */
const keysOfTag = 25;

/** The tag that an entry has, by its key. */
export function tagOf(key: string): string {
  return `tag-${Math.floor(Number(key.slice("key-".length)) / keysOfTag)}`;
}

/** A small generator of random numbers (mulberry32): one seed, one sequence. */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The value of a version of a key: mostly up to `bytesMax`; one in 32 is stored in chunks. */
export function makeValue(key: string, version: number, bytesMax: number): EntryValue {
  const random = randomOf(version);
  const isLarge = random() < 1 / 32;
  const bytes = Math.floor(isLarge ? 9000 + random() * 9000 : random() * bytesMax);
  const word = `${key}:${version};`;
  const from = `from ${version - (version % versionsOfSchema)}`;
  return { key, version, fill: word.repeat(Math.ceil(bytes / word.length)), [from]: version };
}

/** The version of a value that was read, 0 for none, -1 if it is not what was written under this
 *  key. */
export function versionOf(key: string, value: EntryValue | undefined, bytesMax: number): number {
  if (value === undefined) return 0;
  const whole = makeValue(key, value.version, bytesMax);
  return value.key === key && JSON.stringify(value) === JSON.stringify(whole) ? value.version : -1;
}
