// What a verification finds. Made by the verifiers of this room, printed by the command line.

/**
 * - `missing`, `length`: a file is not there, or has another length.
 * - `header`: what a file begins with is damaged.
 * - `checksum`, `slot`: a part of the manifest, epochs, tags, schemas or snapshot is.
 * - `batch`, `index`: the header of a batch, or its list of records and tags.
 * - `record`: the bytes of a record.
 * - `tombstone`: the list of dead records cannot be trusted.
 * - `padding`: a byte that is zero in every directory is not.
 */
export type FaultKind =
  | "missing"
  | "length"
  | "header"
  | "checksum"
  | "slot"
  | "batch"
  | "index"
  | "record"
  | "tombstone"
  | "padding";

/** Something that no cache wrote there. */
export interface Fault {
  /** The name of the file in the directory. */
  readonly file: string;
  /** The number of the segment, null for any other file. */
  readonly segment: number | null;
  /** Where it begins in the file, in bytes. */
  readonly offset: number;
  readonly kind: FaultKind;
  /** What it is, and what it does to the next open. */
  readonly text: string;
}
