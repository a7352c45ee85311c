// Looks for records on disk with an invalidated tag: reads the indexes of the batches, never a
// value, drops such entries from the index and writes their tombstones. Part of a sweep of the tags
// (janitor/tag-sweeper.ts), a batch at a time. Invariant: when it is done, the index names no
// record on disk that a tag invalidated before `begin` voids. Nothing that is written meanwhile is
// such a record: the flusher, reclaim and promotion refuse them.
import { type Device, fileDevice } from "../device/mod.js";
import {
  type Batch,
  BatchReader,
  type IndexEntry,
  indexBytesOf,
  packLocation,
  segmentHeaderSize,
} from "../disk/mod.js";
import type { Hasher } from "../hash/mod.js";
import { codes, type Kernel, type TombstoneWriter } from "../kernel/mod.js";
import type { ThreadDisk } from "../tiers/mod.js";

/** A segment to be walked, as it was at the beginning. */
interface Part {
  readonly segment: number;
  readonly generation: number;
  readonly endOffset: number;
  readonly reader: BatchReader;
  /** Where the next batch is, behind how many records. */
  offset: number;
  records: number;
}

export class InvalidatedWalk {
  readonly #kernel: Kernel;
  readonly #disk: ThreadDisk;
  readonly #hasher: Hasher;
  readonly #writeTombstone: TombstoneWriter;
  readonly #device: Device;
  #parts: Part[] = [];
  #through = 0;
  #index = Buffer.alloc(0);

  constructor(
    kernel: Kernel,
    disk: ThreadDisk,
    hasher: Hasher,
    writeTombstone: TombstoneWriter,
    device: Device = fileDevice,
  ) {
    this.#kernel = kernel;
    this.#disk = disk;
    this.#hasher = hasher;
    this.#writeTombstone = writeTombstone;
    this.#device = device;
  }

  /** Begins a walk for what invalidations up to `through` void. No batch may be under
   *  construction. */
  begin(through: number): void {
    const table = this.#kernel.diskSegments;
    const { segmentBytes, files } = this.#disk;
    this.#through = through;
    this.#parts = [];
    for (let segment = 0; segment < table.count(); segment++) {
      const state = table.state(segment);
      if (state === codes.diskFree) continue;
      const source = {
        // Asked for at each read: the file may have been closed since the last.
        get fd() {
          return files.fd(segment);
        },
        segmentBytes,
        nonce: table.nonce(segment),
        hasher: this.#hasher,
        device: this.#device,
        cipher: this.#disk.cipher,
      };
      this.#parts.push({
        segment,
        generation: table.generation(segment),
        endOffset: table.endOffset(segment),
        reader: new BatchReader(source),
        offset: segmentHeaderSize,
        records: 0,
      });
    }
  }

  /** Looks at one batch. "busy": a key's lock could not be had, or a segment must be emptied first;
   *  try again later. Throws ERR_DISK_IO. */
  step(): "more" | "done" | "busy" {
    const part = this.#parts.at(-1);
    if (part === undefined) return "done";
    if (this.#isOver(part)) {
      this.#parts.pop();
      return "more";
    }
    const { diskSegments, verbs } = this.#kernel;
    // The janitor empties a quarantined segment before anything else is written.
    if (diskSegments.state(part.segment) === codes.diskQuarantined) return "busy";
    const batch = part.reader.header(part.offset, part.records);
    const answer = typeof batch === "string" ? "damaged" : this.#look(part, batch);
    if (answer === "busy") return "busy";
    if (answer === "damaged" || typeof batch === "string") {
      // What it holds cannot be told, so none of it may stay.
      diskSegments.quarantine(part.segment);
      verbs.ring();
      return "busy";
    }
    part.offset = batch.end;
    part.records += batch.count;
    return "more";
  }

  /** Whether nothing is left to look at: all batches were, or the segment was reclaimed. */
  #isOver({ segment, generation, offset, endOffset }: Part): boolean {
    const table = this.#kernel.diskSegments;
    return (
      offset >= endOffset ||
      table.state(segment) === codes.diskFree ||
      table.generation(segment) !== generation
    );
  }

  #look(part: Part, batch: Batch): "done" | "busy" | "damaged" {
    if (batch.detailsBytes === 0 || batch.minSequence > this.#through) return "done";
    const bytes = indexBytesOf(batch);
    if (this.#index.length < bytes) this.#index = Buffer.alloc(bytes);
    let isBusy = false;
    const isWhole = part.reader.index(batch, this.#index, (entry) => {
      if (entry.tags.length > 0 && !this.#judge(part.segment, entry)) isBusy = true;
    });
    if (!isWhole) return "damaged";
    return isBusy ? "busy" : "done";
  }

  /** Drops an entry if one of its tags was invalidated. False if its key's lock is taken. */
  #judge(segment: number, entry: IndexEntry): boolean {
    const { verbs, tags, tombstones } = this.#kernel;
    if (!tags.areHashesInvalidated(entry.tags, entry.sequence)) return true;
    const { segmentBytes } = this.#disk;
    const { unit, size, isChunk } = entry;
    const location = packLocation(segment, unit * 16, size, segmentBytes, isChunk);
    const answer = verbs.dropInvalidated(entry.hashLow, entry.hashHigh, location);
    tombstones.drain(this.#writeTombstone);
    return answer !== codes.answerBusy;
  }
}
