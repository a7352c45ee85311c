// Values that tell their key, version and length, so that a reader knows whose value it is and
// whether it is whole. Called by actor.ts and explorer.ts.

const valueBytesMax = 24;

/** The value of a version of a key. */
export function valueOf(key: string, version: number): Buffer {
  const value = Buffer.alloc(
    8 + ((version * 5) % 3) * 8,
    (key.charCodeAt(0) * 31 + version * 17) & 255,
  );
  value.writeUInt8(key.charCodeAt(0), 0);
  value.writeUInt8(version, 1);
  return value;
}

/** Such a value that takes three chunks in segments of 512 bytes. */
export function largeValueOf(key: string, version: number): Buffer {
  const value = Buffer.alloc(
    136 + ((version * 5) % 3) * 8,
    (key.charCodeAt(0) * 31 + version * 17) & 255,
  );
  value.writeUInt8(key.charCodeAt(0), 0);
  value.writeUInt8(version, 1);
  return value;
}

/** The version in the value of a key; throws if it was not written for this key. */
export function versionOf(key: string, value: Uint8Array): number {
  const version = value[1] ?? 0;
  const isLarge = value.length > valueBytesMax;
  const expected = isLarge ? largeValueOf(key, version) : valueOf(key, version);
  if (value[0] !== key.charCodeAt(0) || expected.compare(value) !== 0) {
    throw new Error(
      `"${key}" was read as ${Buffer.from(value).toString("hex")}: torn, or another's`,
    );
  }
  return version;
}
