// The versions that the check knows, in a file that all processes of the example read. Each process
// writes a column of its own, so no version is lost; what holds is the largest of a row. It stands
// for nothing that a service has: prompts are not in it, since other hosts do not know them.
import { closeSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";

import { clockMs, thingOf } from "./lookups.js";
import { type Kind, placeOf, type VersionBook, versionsOfUser } from "./versions.js";

/** A change that has returned in the process of this column. */
export interface Settled {
  readonly thing: string;
  readonly version: number;
  readonly column: number;
  readonly atMs: number;
}

const bytesOfVersion = 4;
export const columns = 64;

export class SharedVersions implements VersionBook {
  readonly #file: number;
  readonly #column: number;
  readonly #onSettled: (settled: Settled) => void;
  readonly #row = new Int32Array(columns);
  readonly #own = new Int32Array(1);

  constructor(path: string, column: number, onSettled: (settled: Settled) => void) {
    if (column >= columns) throw new RangeError(`column ${column}; there are ${columns}`);
    this.#file = openSync(path, "r+");
    this.#column = column;
    this.#onSettled = onSettled;
  }

  static create(path: string, users: number): void {
    writeFileSync(path, Buffer.alloc(users * versionsOfUser * columns * bytesOfVersion));
  }

  of(kind: Kind, user: number, name: string): number {
    const row = placeOf(kind, user, name) * columns * bytesOfVersion;
    readSync(this.#file, this.#row, 0, this.#row.byteLength, row);
    return Math.max(...this.#row);
  }

  raise(kind: Kind, user: number, name: string, version: number): void {
    if (this.of(kind, user, name) >= version) return;
    // The time first: who finds the version in the file began its lookup after it.
    const settled = { thing: thingOf(kind, user, name), version, column: this.#column };
    const atMs = clockMs();
    this.#own[0] = version;
    const place = placeOf(kind, user, name) * columns + this.#column;
    writeSync(this.#file, this.#own, 0, bytesOfVersion, place * bytesOfVersion);
    this.#onSettled({ ...settled, atMs });
  }

  /** Not asked for: a changed prompt is deleted instead. */
  prompt(): number {
    return 0;
  }

  setPrompt(): void {}

  close(): void {
    closeSync(this.#file);
  }
}
