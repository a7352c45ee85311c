// What a directory holds: geometry, owner, namespaces, entries, ages, fill, sizes and health, by
// its fixed files and the indexes of its segments, without a value. Called by `undercroft inspect`.
// Invariant: nothing in the directory changes.
import { monotonicMs, readAnchorMs } from "../base/mod.js";
import { fileDevice, fs, isFileOf } from "../device/mod.js";
import {
  type EpochsReading,
  type ManifestFields,
  manifestName,
  manifestVersion,
  openToRead,
  type Ownership,
  resumeTime,
  readSchemas,
  segmentName,
  snapshotName,
  type TagFileReading,
} from "../directory/mod.js";
import type { IndexEntry } from "../disk/mod.js";
import { type DirectoryView, viewDirectory } from "./directory-view.js";
import { healthOf, nextOpenOf } from "./health.js";
import { overviewOfSegment, type RecordState, type SegmentOverview } from "./segment-overview.js";

/** Upper bounds of the histogram of sizes, in bytes; above the last there is one more bucket. */
const sizeBounds = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576] as const;

/** Counts of records. A value in chunks is one entry; its chunks are parts. */
export interface EntryCounts {
  live: number;
  expired: number;
  /** Deleted or overwritten. */
  deleted: number;
  /** Ended by a clear or a tag. */
  void: number;
  /** Chunks of large values that live. */
  parts: number;
  /** Bytes of what lives, chunks included. */
  liveBytes: number;
}

export interface NamespaceOverview extends EntryCounts {
  readonly id: number;
  /** "" for the cache's own key space. */
  readonly name: string;
}

/** How a session of the directory ended. */
export type CloseState = "clean" | "unsynced" | "not closed";

/** What `undercroft inspect` says. Times are wall-clock milliseconds. */
export interface DirectoryOverview {
  readonly path: string;
  readonly format: number;
  readonly codec: string;
  readonly isEncrypted: boolean;
  /** It is encrypted and no key was given: entries are not counted. */
  readonly isOpaque: boolean;
  readonly version: string;
  readonly owner: Ownership;
  readonly closed: CloseState;
  /** Opens of the directory so far. */
  readonly sessions: number;
  readonly lastAliveMs: number;
  readonly segmentBytes: number;
  readonly segmentCount: number;
  /** The sum of the lengths of all files, and what they take of the file system. */
  readonly bytes: number;
  readonly allocatedBytes: number;
  /** Bytes of the index snapshot; null if there is none. */
  readonly snapshotBytes: number | null;
  readonly tags: number;
  readonly schemas: number;
  /** Zeros if `isOpaque`. */
  readonly entries: EntryCounts;
  readonly namespaces: readonly NamespaceOverview[];
  /** When the segments with live entries were begun; null without one. */
  readonly oldestMs: number | null;
  readonly newestMs: number | null;
  readonly segments: readonly SegmentOverview[];
  readonly sizes: readonly { readonly upTo: number | null; entries: number; bytes: number }[];
  /** What an open with the same options would find now. */
  readonly nextOpen: { readonly kind: string; readonly reason: string } | null;
  /** What is not as it should be, in sentences; empty if nothing is. */
  readonly health: readonly string[];
}

/** Looks at a directory. Rejects as viewDirectory does; null if its manifest is damaged. */
export async function inspectDirectory(
  path: string,
  key: Uint8Array | null = null,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<DirectoryOverview | null> {
  const view = await viewDirectory(path, key);
  const { fields, epochs, tags, manifest } = view;
  if (fields === null || manifest.kind !== "valid") return null;
  const census = new Census(fields, epochs, tags);
  const segments: SegmentOverview[] = [];
  for (let segment = 0; segment < fields.segmentCount; segment++) {
    segments.push(readSegment(view, fields, segment, census));
    onProgress(segment + 1, fields.segmentCount);
  }
  const { segmentBytes, segmentCount, generation, lastAliveMs } = fields;
  const begun = segments.filter(({ liveRecords }) => liveRecords > 0);
  const times = begun.map(({ createdMs }) => createdMs);
  const nextOpen = nextOpenOf(view, fields, isCopied(view));
  return {
    path,
    format: manifestVersion,
    codec: fields.codecName,
    isEncrypted: fields.sealedKey !== null,
    isOpaque: view.isOpaque,
    version: epochs?.namespaces.find(({ id }) => id === 0)?.name ?? "",
    owner: view.ownership,
    closed: closeOf(fields),
    sessions: generation,
    lastAliveMs,
    segmentBytes,
    segmentCount,
    ...sizesOf(view),
    tags: new Set((tags?.tags ?? []).map(({ hash }) => hash)).size,
    schemas: readSchemas(view.schemasFile ?? Buffer.alloc(0), fields.seed, view.hasher, view.cipher)
      .count,
    entries: census.all,
    namespaces: census.namespaces(),
    oldestMs: times.length === 0 ? null : Math.min(...times),
    newestMs: times.length === 0 ? null : Math.max(...times),
    segments,
    sizes: census.sizes,
    nextOpen,
    health: healthOf(view, segments, nextOpen),
  };
}

function closeOf({ clean, closedUnsynced }: ManifestFields): CloseState {
  if (clean) return "clean";
  return closedUnsynced ? "unsynced" : "not closed";
}

/** Whether the manifest was written to another file. */
function isCopied({ path, manifest }: DirectoryView): boolean {
  const fd = openToRead(`${path}/${manifestName}`);
  if (fd === null || manifest.kind !== "valid") return false;
  try {
    return !isFileOf(manifest.file, fd);
  } finally {
    fs.closeSync(fd);
  }
}

function sizesOf({ path, listing }: DirectoryView) {
  let bytes = 0;
  let allocatedBytes = 0;
  let snapshotBytes: number | null = null;
  for (const name of listing.files) {
    const stat = fs.statSync(`${path}/${name}`, { bigint: false, throwIfNoEntry: false });
    if (stat === undefined) continue;
    bytes += stat.size;
    allocatedBytes += stat.blocks * 512;
    if (name === snapshotName) snapshotBytes = stat.size;
  }
  return { bytes, allocatedBytes, snapshotBytes };
}

/** What a running cache changes in between is read once more. */
function readSegment(
  view: DirectoryView,
  fields: ManifestFields,
  segment: number,
  census: Census,
): SegmentOverview {
  const { path, hasher, cipher, isOpaque } = view;
  const { segmentBytes, seed } = fields;
  const missing: SegmentOverview = {
    segment,
    use: "damaged",
    serial: 0,
    createdMs: 0,
    usedBytes: 0,
    records: 0,
    liveRecords: 0,
    liveBytes: 0,
    damage: "header",
  };
  const fd = openToRead(`${path}/${segmentName(segment)}`);
  if (fd === null) return missing;
  try {
    if (fs.fstatSync(fd, { bigint: false }).size !== segmentBytes) return missing;
    const device = fileDevice;
    const source = { fd, segment, segmentBytes, seed, hasher, device, cipher, isOpaque };
    const looks = view.ownership.state === "open" ? 3 : 1;
    for (let look = 1; ; look++) {
      const draft = census.draft();
      const found = overviewOfSegment(source, (entry, isDeleted) => draft.note(entry, isDeleted));
      if (found.damage !== null && look < looks) continue;
      census.add(draft);
      return found;
    }
  } finally {
    fs.closeSync(fd);
  }
}

const noCounts = (): EntryCounts => {
  return { live: 0, expired: 0, deleted: 0, void: 0, parts: 0, liveBytes: 0 };
};

/** Counts the records of a segment, so that they can be counted anew. */
interface Draft {
  note(entry: IndexEntry, isDeleted: boolean): RecordState;
  readonly spaces: Map<number, EntryCounts>;
  readonly sizes: { upTo: number | null; entries: number; bytes: number }[];
}

/** Counts records by what became of them. */
class Census {
  readonly all: EntryCounts = noCounts();
  readonly sizes = emptySizes();
  readonly #spaces = new Map<number, EntryCounts>();
  readonly #names = new Map<number, string>();
  readonly #clears = new Map<number, number>();
  readonly #invalidated = new Map<bigint, bigint>();
  readonly #floor: number;
  readonly #clear: number;
  readonly #keepThrough: number;
  readonly #nowMs: number;

  constructor(fields: ManifestFields, epochs: EpochsReading | null, tags: TagFileReading | null) {
    const wallNow = readAnchorMs() + monotonicMs();
    const { aheadMs } = resumeTime(fields, { wallNow, uptimeMs: null, bootId: "" });
    this.#nowMs = wallNow + aheadMs;
    this.#clear = epochs?.clear ?? 0;
    this.#keepThrough = fields.keepThrough;
    this.#floor = Math.max(epochs?.tagFloor ?? 0, tags?.floor ?? 0);
    for (const { id, name, clear } of epochs?.namespaces ?? []) {
      this.#clears.set(id, clear);
      if (id > 0) this.#names.set(id, name);
    }
    for (const { hash, sequence } of tags?.tags ?? []) {
      if (sequence > (this.#invalidated.get(hash) ?? 0n)) this.#invalidated.set(hash, sequence);
    }
  }

  draft(): Draft {
    const spaces = new Map<number, EntryCounts>();
    const sizes = emptySizes();
    return {
      spaces,
      sizes,
      note: (entry, isDeleted) => this.#note(entry, isDeleted, spaces, sizes),
    };
  }

  #note(
    entry: IndexEntry,
    isDeleted: boolean,
    spaces: Draft["spaces"],
    sizes: Draft["sizes"],
  ): RecordState {
    const state = isDeleted ? "deleted" : this.#stateOf(entry);
    const counts = spaces.get(entry.space) ?? noCounts();
    spaces.set(entry.space, counts);
    if (state === "live") counts.liveBytes += entry.size;
    if (entry.isChunk) {
      if (state === "live") counts.parts += 1;
      return state;
    }
    counts[state] += 1;
    if (state !== "live") return state;
    const bucket = sizes.find(({ upTo }) => upTo === null || entry.size <= upTo);
    if (bucket === undefined) return state;
    bucket.entries += 1;
    bucket.bytes += entry.size;
    return state;
  }

  #stateOf({ sequence, space, expires, tags }: IndexEntry): RecordState {
    const clear = space === 0 ? 0 : (this.#clears.get(space) ?? 0);
    if (sequence <= this.#clear || sequence <= clear || sequence > this.#keepThrough) return "void";
    if (tags.length > 0 && sequence <= this.#floor) return "void";
    for (let at = 0; at < tags.length; at += 8) {
      const invalidated = this.#invalidated.get(tags.readBigUInt64LE(at));
      if (invalidated !== undefined && BigInt(sequence) <= invalidated) return "void";
    }
    return expires <= this.#nowMs ? "expired" : "live";
  }

  add({ spaces, sizes }: Draft): void {
    for (const [id, counts] of spaces) {
      const space = this.#spaces.get(id) ?? noCounts();
      this.#spaces.set(id, space);
      for (const key of Object.keys(counts) as (keyof EntryCounts)[]) {
        space[key] += counts[key];
        this.all[key] += counts[key];
      }
    }
    for (const [position, { entries, bytes }] of sizes.entries()) {
      const bucket = this.sizes[position];
      if (bucket === undefined) continue;
      bucket.entries += entries;
      bucket.bytes += bytes;
    }
  }

  /** The cache's own key space, and every namespace that is known or has records. */
  namespaces(): NamespaceOverview[] {
    const ids = new Set([0, ...this.#names.keys(), ...this.#spaces.keys()]);
    return [...ids]
      .toSorted((left, right) => left - right)
      .map((id) => ({
        id,
        name: this.#names.get(id) ?? "",
        ...(this.#spaces.get(id) ?? noCounts()),
      }));
  }
}

function emptySizes(): { upTo: number | null; entries: number; bytes: number }[] {
  return [...sizeBounds, null].map((upTo) => ({ upTo, entries: 0, bytes: 0 }));
}
