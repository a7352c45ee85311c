// Verifies a whole directory: every checksum in every file. Called by `undercroft verify`.
// Invariant: nothing in the directory changes. What a running cache is writing at the moment is no
// fault: while the directory is open, only what several looks find in a row counts.
import { setTimeout, UndercroftError } from "../base/mod.js";
import { type Device, fileDevice, fs } from "../device/mod.js";
import {
  attempt,
  checkSnapshot,
  type Damage,
  epochsDamage,
  epochsName,
  manifestDamage,
  manifestName,
  openToRead,
  ownershipOf,
  schemaDamage,
  schemasName,
  segmentName,
  type SegmentState,
  snapshotName,
  tagFileDamage,
  tagsName,
} from "../directory/mod.js";
import { type DirectoryView, readFile, viewDirectory } from "./directory-view.js";
import type { Fault, FaultKind } from "./fault.js";
import { type SegmentFindings, verifySegment } from "./segment-verifier.js";

/** Milliseconds before each further look at what is wrong in an open directory. */
const pausesMs = [50, 250, 1000];
/** Faults that are told one by one; all are counted. */
const faultsMax = 1000;
/** A directory that is opened anew again and again is not verified. */
const attemptsMax = 3;

/** What a verification found. */
export interface Verification {
  readonly path: string;
  /** A cache had it open. */
  readonly isLive: boolean;
  /** The cache was closed in order. */
  readonly isClosed: boolean;
  /** Segment files that hold something. */
  readonly segments: number;
  readonly records: number;
  /** Bytes that were read. */
  readonly bytes: number;
  readonly faultCount: number;
  /** The first of them. */
  readonly faults: readonly Fault[];
  /** What a process that was ended left, and is no fault. */
  readonly notes: readonly string[];
}

export interface VerifyOptions {
  /** Called now and then with the bytes that were read, and of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly device?: Device;
  /** The key of an encrypted directory: what it encrypted is verified by it too. */
  readonly key?: Uint8Array | null;
}

/** Verifies a directory. Rejects as viewDirectory does, and with ERR_DISK_IO if a file cannot be
 *  read, or the directory is opened anew all the time. */
export async function verifyDirectory(
  path: string,
  { onProgress = () => undefined, device = fileDevice, key = null }: VerifyOptions = {},
): Promise<Verification> {
  for (let attempts = 0; attempts < attemptsMax; attempts++) {
    const view = await viewDirectory(path, key, device);
    const verification = await new Verifier(view, onProgress).run();
    if (await isSameSession(view)) return verification;
  }
  const text = `Cannot verify ${path}: caches open and close it faster than it can be read`;
  throw new UndercroftError("ERR_DISK_IO", text);
}

/** Whether nobody has opened the directory since it was viewed. */
async function isSameSession({ path, fields, device }: DirectoryView): Promise<boolean> {
  const now = (await viewDirectory(path, null, device)).fields;
  if (fields === null || now === null) return fields === now;
  return fields.identity.equals(now.identity) && fields.generation === now.generation;
}

type Look = () => { readonly faults: readonly Fault[]; readonly nonce?: bigint | null };

class Verifier {
  readonly #view: DirectoryView;
  readonly #onProgress: (done: number, total: number) => void;
  readonly #total: number;
  readonly #faults: Fault[] = [];
  readonly #notes: string[] = [];
  #faultCount = 0;
  #bytes = 0;
  #segments = 0;
  #records = 0;
  #wasOpen: boolean;

  constructor(view: DirectoryView, onProgress: (done: number, total: number) => void) {
    this.#view = view;
    this.#onProgress = onProgress;
    this.#wasOpen = view.ownership.state === "open";
    this.#total = (view.fields?.segmentBytes ?? 0) * (view.fields?.segmentCount ?? 0);
  }

  async run(): Promise<Verification> {
    const { path, fields, hasher } = this.#view;
    await this.#fixed(manifestName, (file) => manifestDamage(file, hasher));
    if (fields === null) {
      const text = "the manifest says nothing: no other file can be verified, and none comes back";
      const fault: Fault = { file: manifestName, segment: null, offset: 0, kind: "header", text };
      if (this.#faultCount === 0) this.#note([fault]);
      else this.#notes.push(text);
    } else {
      const { seed, segmentCount } = fields;
      await this.#fixed(epochsName, (file) => epochsDamage(file, seed));
      await this.#fixed(tagsName, (file) => tagFileDamage(file, seed, hasher));
      await this.#fixed(schemasName, (file) => schemaDamage(file, seed, hasher, this.#view));
      if (this.#view.isOpaque) {
        this.#notes.push("it is encrypted; without its key only the checksums were verified");
      }
      const states = await this.#snapshot();
      for (let segment = 0; segment < segmentCount; segment++) {
        await this.#segment(segment, states?.[segment] ?? null);
      }
      for (const segment of this.#view.listing.segments.keys()) {
        if (segment < segmentCount) continue;
        this.#notes.push(`${segmentName(segment)} is not one of the ${segmentCount} segments`);
      }
    }
    return {
      path,
      isLive: this.#wasOpen,
      isClosed: fields?.clean === true || fields?.closedUnsynced === true,
      segments: this.#segments,
      records: this.#records,
      bytes: this.#bytes,
      faultCount: this.#faultCount,
      faults: this.#faults,
      notes: this.#notes,
    };
  }

  #note(faults: readonly Fault[]): void {
    this.#faultCount += faults.length;
    this.#faults.push(...faults.slice(0, faultsMax - this.#faults.length));
  }

  /** Looks until what is wrong is certain, and notes it. */
  async #confirm(look: Look): Promise<void> {
    const first = look();
    let faults = first.faults;
    for (const pauseMs of pausesMs) {
      if (faults.length === 0) return;
      const isOpen = await this.#isOpen();
      if (!isOpen && !this.#wasOpen) break;
      // A cache that was closed meanwhile may have written in between.
      if (isOpen) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const again = look();
      const isSame = again.nonce === first.nonce;
      const names = new Set(isSame ? again.faults.map(nameOf) : []);
      faults = faults.filter((fault) => names.has(nameOf(fault)));
      if (!isOpen) break;
    }
    this.#note(faults);
  }

  async #isOpen(): Promise<boolean> {
    const isOpen = (await ownershipOf(this.#view.path)).state === "open";
    if (isOpen) this.#wasOpen = true;
    return isOpen;
  }

  async #fixed(file: string, damageOf: (bytes: Buffer) => readonly Damage[]): Promise<void> {
    const { path, device } = this.#view;
    await this.#confirm(() => {
      const bytes = readFile(`${path}/${file}`, device);
      if (bytes === null) return { faults: [missing(file, null)] };
      this.#bytes += bytes.length;
      const faults = damageOf(bytes).map((damage) => ({ file, segment: null, ...damage }));
      return { faults };
    });
  }

  /** Verifies the snapshot that the next open would use. Returns what it says of the segments. */
  async #snapshot(): Promise<readonly SegmentState[] | null> {
    const { path, fields, hasher, device, listing } = this.#view;
    if (!listing.hasSnapshot) return null;
    if (fields?.clean !== true && fields?.closedUnsynced !== true) {
      this.#notes.push(`${snapshotName} is not whole yet, or was left by a close that did not end`);
      return null;
    }
    let states: readonly SegmentState[] | null = null;
    await this.#confirm(() => {
      const fd = openToRead(`${path}/${snapshotName}`);
      // Whoever opens the directory deletes it.
      if (fd === null) return { faults: [] };
      try {
        const { size } = fs.fstatSync(fd, { bigint: false });
        const { head, damagedFrames } = checkSnapshot(fd, size, hasher, device);
        this.#bytes += size;
        const isOurs =
          head !== null &&
          head.identity.equals(fields.identity) &&
          head.generation === fields.generation;
        if (isOurs) states = head.segments;
        return { faults: snapshotFaults(isOurs, damagedFrames) };
      } finally {
        fs.closeSync(fd);
      }
    });
    return states;
  }

  async #segment(segment: number, state: SegmentState | null): Promise<void> {
    const { path, device, hasher, fields, cipher, isOpaque } = this.#view;
    if (fields === null) return;
    const file = segmentName(segment);
    const { segmentBytes, seed, clean, closedUnsynced } = fields;
    const before = this.#bytes;
    let found: SegmentFindings | null = null;
    await this.#confirm(() => {
      const fd = openToRead(`${path}/${file}`);
      if (fd === null) return { faults: [missing(file, segment)] };
      try {
        const { size } = attempt("inspect", file, () => fs.fstatSync(fd, { bigint: false }));
        if (size !== segmentBytes)
          return { faults: [shortened(file, segment, size, segmentBytes)] };
        found = verifySegment({
          fd,
          file,
          segment,
          segmentBytes,
          seed,
          hasher,
          device,
          cipher,
          isOpaque,
          isClosed: clean || closedUnsynced,
          state: state?.serial === 0 ? null : state,
          onRead: (bytes) => {
            this.#bytes += bytes;
            this.#onProgress(this.#progress(segment, this.#bytes - before), this.#total);
          },
        });
        return found;
      } finally {
        fs.closeSync(fd);
      }
    });
    const findings = found as SegmentFindings | null;
    if (findings === null) return;
    this.#notes.push(...findings.notes);
    this.#segments += findings.nonce === null ? 0 : 1;
    this.#records += findings.records;
  }

  /** Files that hold little are read faster than their length says. */
  #progress(segment: number, bytes: number): number {
    const segmentBytes = this.#view.fields?.segmentBytes ?? 0;
    return segment * segmentBytes + Math.min(bytes, segmentBytes);
  }
}

/** What tells a fault from others. */
function nameOf({ file, kind, offset }: Fault): string {
  return `${file} ${kind} ${offset}`;
}

function missing(file: string, segment: number | null): Fault {
  return { file, segment, offset: 0, kind: "missing", text: "the file is missing" };
}

function shortened(file: string, segment: number, size: number, wanted: number): Fault {
  const lost = "nothing in this segment comes back";
  const text = `the file has ${size} bytes; it should have ${wanted}: ${lost}`;
  return { file, segment, offset: Math.min(size, wanted), kind: "length", text };
}

function snapshotFaults(isOurs: boolean, damagedFrames: readonly number[]): Fault[] {
  const fault = (offset: number, kind: FaultKind): Fault => {
    const text = "the index snapshot is damaged: the next open reads the indexes of the segments";
    return { file: snapshotName, segment: null, offset, kind, text };
  };
  if (!isOurs) return [fault(0, "header")];
  return damagedFrames.map((offset) => fault(offset, "checksum"));
}
