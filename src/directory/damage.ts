// What is damaged in a file of a directory, and where. Each file's own module looks for it, for
// who verifies a directory (inspection/). An open asks for less: damage to what another copy still
// says does not keep it from going on.

/** Something in a file that no cache wrote there. */
export interface Damage {
  /** Where it begins, in bytes. */
  readonly offset: number;
  /** Which check found it. "padding": bytes that are zero in every file of this format. */
  readonly kind: "length" | "header" | "slot" | "checksum" | "padding";
  /** For people to read. */
  readonly text: string;
}

/** A file that has not its length. */
export function wrongLength(file: Buffer, length: number): Damage {
  const text = `the file has ${file.length} bytes; it should have ${length}`;
  return { offset: 0, kind: "length", text };
}

/** Whether all bytes are zero. */
export function isZero(bytes: Buffer): boolean {
  return firstNonZero(bytes) < 0;
}

/** The offset of the first byte that is not zero, or -1. */
export function firstNonZero(bytes: Buffer): number {
  // Blocks first: a native compare is far faster than a loop.
  for (let from = 0; from < bytes.length; from += zeros.length) {
    const block = bytes.subarray(from, from + zeros.length);
    if (block.equals(zeros.subarray(0, block.length))) continue;
    return from + block.findIndex((byte) => byte !== 0);
  }
  return -1;
}

const zeros = Buffer.alloc(4096);

/** Damage for each of these ranges, [from, to), that has a byte which is not zero. */
export function paddingDamage(
  file: Buffer,
  ranges: readonly (readonly [number, number])[],
): Damage[] {
  return ranges.flatMap(([from, to]) => {
    const found = firstNonZero(file.subarray(from, to));
    if (found < 0) return [];
    return [
      { offset: from + found, kind: "padding", text: "a byte that nothing uses is not zero" },
    ];
  });
}
