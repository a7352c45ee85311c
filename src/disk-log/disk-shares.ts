// Which namespaces are within their share of the disk: what they have in a segment file that is
// reclaimed is written again. Belongs to the disk log, so only the janitor calls it. What is live
// of a namespace in a file is taken from what was written there and the part of the file's records
// that have a tombstone: exact once every record of a file, or none, is one namespace's.
import type { SegmentScan } from "../disk/mod.js";
import { codes, type Kernel } from "../kernel/mod.js";

/** The part of the disk that can be kept for namespaces: reclaim needs the rest to work in. */
const usableShare = 3 / 4;
const spaces = 256;

export class DiskShares {
  readonly #kernel: Kernel;
  readonly #segmentBytes: number;
  readonly #scan: (segment: number) => SegmentScan | null;
  /** Bytes written in this use of each file, by space; undefined if that is not known, as after a
   *  restart. */
  readonly #written: (Float64Array | undefined)[] = [];
  readonly #live = new Float64Array(spaces);
  readonly #limits = new Float64Array(spaces);

  /** `scan` reads the index of a file. */
  constructor(kernel: Kernel, segmentBytes: number, scan: (segment: number) => SegmentScan | null) {
    this.#kernel = kernel;
    this.#segmentBytes = segmentBytes;
    this.#scan = scan;
  }

  /** A file is used anew. */
  begin(segment: number): void {
    this.#written[segment] = new Float64Array(spaces);
  }

  /** A record was written to a file. */
  note(segment: number, space: number, bytes: number): void {
    const written = this.#written[segment];
    if (written !== undefined) written[space] = (written[space] as number) + bytes;
  }

  /** Takes stock. False if no namespace has a share: then nothing is protected. */
  refresh(): boolean {
    const { namespaces, diskSegments } = this.#kernel;
    let sum = 0;
    if (namespaces.hasShares()) {
      for (let id = 1; id <= codes.namespacesMax; id++) sum += namespaces.diskShare(id);
    }
    if (sum === 0) return false;
    const scale = Math.min(1, (diskSegments.count() * this.#segmentBytes * usableShare) / sum);
    for (let id = 1; id <= codes.namespacesMax; id++) {
      this.#limits[id] = namespaces.diskShare(id) * scale;
    }
    this.#live.fill(0);
    for (let segment = 0; segment < diskSegments.count(); segment++) {
      if (!this.#isUsed(segment)) continue;
      for (let id = 1; id <= codes.namespacesMax; id++) {
        this.#live[id] = (this.#live[id] as number) + this.#liveIn(segment, id);
      }
    }
    return true;
  }

  #isUsed(segment: number): boolean {
    const state = this.#kernel.diskSegments.state(segment);
    return state === codes.diskOpen || state === codes.diskSealed || state === codes.diskReclaiming;
  }

  #liveIn(segment: number, space: number): number {
    const { diskSegments } = this.#kernel;
    const written = (this.#written[segment] ??= this.#read(segment));
    const records = diskSegments.recordCount(segment);
    if (records === 0) return 0;
    const dead = Math.min(records, diskSegments.tombstoneCount(segment));
    return (written[space] as number) * (1 - dead / records);
  }

  /** What an earlier session wrote to a file. */
  #read(segment: number): Float64Array {
    const written = new Float64Array(spaces);
    const scan = this.#scan(segment);
    for (let entry = 0; entry < (scan?.recordCount ?? 0); entry++) {
      const space = scan?.entries.space[entry] as number;
      written[space] = (written[space] as number) + (scan?.entries.size[entry] as number);
    }
    return written;
  }

  /** Whether a namespace is within its share, as of the last `refresh`. */
  isWithin(space: number): boolean {
    const limit = this.#limits[space] as number;
    return limit > 0 && (this.#live[space] as number) <= limit;
  }

  /** Bytes of a namespace have left the disk. */
  noteDropped(space: number, bytes: number): void {
    this.#live[space] = (this.#live[space] as number) - bytes;
  }

  /** The part of a file that is live and of namespaces within their share. */
  keptShareOf(segment: number): number {
    let kept = 0;
    for (let id = 1; id <= codes.namespacesMax; id++) {
      if (this.isWithin(id)) kept += this.#liveIn(segment, id);
    }
    return kept / this.#segmentBytes;
  }
}
