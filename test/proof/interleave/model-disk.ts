// Segment files as maps: what the flusher wrote where, and the tombstones. actor.ts uses it in
// place of the disk log and the disk tier's files. A batch reaches the disk in one step; a
// tombstone too, as an 8-byte write does.

import type { Layout } from "./rooms.js";

export interface DiskRecord {
  readonly location: number;
  readonly bytes: Buffer;
  readonly nonce: number;
}

export class ModelDisk {
  /** What a reopen would find, oldest first. */
  records: DiskRecord[] = [];
  /** `location:nonce` of each record that has a tombstone. */
  readonly dead: Set<string> = new Set();
  readonly #at: Layout;
  /** Which file a segment's is: another one each time that it was deleted and made anew. */
  readonly #files: number[] = [];
  /** What each thread has open by segment, and how often files had left the disk then. */
  readonly #open = new Map<number, { removed: number; readonly files: Map<number, number> }>();
  #keptRecords: DiskRecord[] = [];
  #keptDead: string[] = [];

  constructor(at: Layout) {
    this.#at = at;
  }

  /** From here on every schedule begins in the present state. */
  keep(): void {
    this.#keptRecords = Array.from(this.records);
    this.#keptDead = Array.from(this.dead);
  }

  reset(): void {
    this.records = Array.from(this.#keptRecords);
    this.dead.clear();
    for (const tombstone of this.#keptDead) this.dead.add(tombstone);
    this.#files.length = 0;
    this.#open.clear();
  }

  /** The segment's file is deleted, and another is made. */
  replaceFile(segment: number): void {
    this.#files[segment] = this.fileOf(segment) + 1;
  }

  fileOf(segment: number): number {
    return this.#files[segment] ?? 0;
  }

  /** The file that a thread uses, which files have left the disk as often as it says. After
   *  SegmentFiles.#use. */
  openedBy(thread: number, segment: number, removed: number): number {
    let open = this.#open.get(thread);
    if (open?.removed !== removed) open = { removed, files: new Map() };
    this.#open.set(thread, open);
    const file = open.files.get(segment) ?? this.fileOf(segment);
    open.files.set(segment, file);
    return file;
  }

  read(location: number, nonce: number): Buffer | undefined {
    return this.records.find((record) => record.location === location && record.nonce === nonce)
      ?.bytes;
  }

  /** The records of a segment file that have no tombstone. */
  scan(segment: number, units: number): DiskRecord[] {
    return this.records.filter(
      ({ location, nonce }) =>
        this.segmentOf(location, units) === segment && !this.dead.has(`${location}:${nonce}`),
    );
  }

  /** Makes a segment file void: the next session finds nothing there, readers of this one still
   *  do. */
  void(segment: number, units: number): void {
    for (const { location, nonce } of this.scan(segment, units)) {
      this.dead.add(`${location}:${nonce}`);
    }
  }

  /** Overwrites a segment file. */
  erase(segment: number, units: number): void {
    this.records = this.records.filter(
      ({ location }) => this.segmentOf(location, units) !== segment,
    );
  }

  /** The record that the next session would serve for each key, by the key's text: the newest
   *  without a tombstone. */
  survivors(): Map<string, Buffer> {
    const newest = new Map<string, Buffer>();
    const sequenceOf = (bytes: Buffer): number => bytes.readUIntLE(8, 6);
    for (const { location, bytes, nonce } of this.records) {
      if (this.dead.has(`${location}:${nonce}`)) continue;
      const keyStart = 24 + bytes.readUInt8(14) * 8;
      const key = bytes.toString("utf8", keyStart, keyStart + bytes.readUInt16LE(4) + 1);
      const rival = newest.get(key);
      if (rival === undefined || sequenceOf(rival) < sequenceOf(bytes)) newest.set(key, bytes);
    }
    return newest;
  }

  /** The segment of a location in 16-byte units. */
  segmentOf(location: number, units: number): number {
    return Math.floor((location % 2 ** this.#at.locationUnitBits) / units);
  }
}
