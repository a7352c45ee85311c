// The segment files that one thread has open. A file is opened when it is first used, and closed
// when another needs its room or none was used for a while. Called by whoever reads or writes
// segment files. Invariants: a descriptor is not closed while I/O on it is under way; the threads
// of the process together have at most `openFiles` open, and beyond that one for each thread that
// finds no room. A thread with more than its part closes some when it opens the next. No file is
// used that has left the disk since it was opened: another file may have its number by now.
import { clearTimeout, setTimeout, UndercroftError } from "../base/mod.js";
import { type FileIdentity, fs } from "../device/mod.js";
import { openSegment } from "../directory/mod.js";
import type { Kernel } from "../kernel/mod.js";
import { counterDiskErrors } from "../stats/mod.js";

/** Milliseconds without a use after which a thread closes its files, twice that at most. */
export const filesIdleMs = 10_000;

/** A file that is open. */
export interface SegmentFile {
  readonly segment: number;
  readonly fd: number;
  /** Asynchronous reads under way. */
  pins: number;
}

interface Waiter {
  readonly segment: number;
  resolve(file: SegmentFile): void;
  reject(error: unknown): void;
}

export interface SegmentFilesOptions {
  readonly path: string;
  /** Most segment files open at once, over all threads. */
  readonly openFiles: number;
  /** Which file a segment file is; asked when it is opened. */
  identityOf(this: void, segment: number): FileIdentity;
}

export class SegmentFiles {
  readonly #kernel: Kernel;
  readonly #path: string;
  readonly #identityOf: (segment: number) => FileIdentity;
  readonly #most: number;
  /** By segment; the one that was used longest ago comes first. */
  readonly #open = new Map<number, SegmentFile>();
  #newest: SegmentFile | undefined;
  /** Files with pins. */
  #pinned = 0;
  readonly #waiting: Waiter[] = [];
  /** Files that have left `#open` with I/O under way. */
  readonly #leaving = new Set<SegmentFile>();
  /** How often files had left the disk when those in `#open` were opened. */
  #removed: number;
  #isUsed = false;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(kernel: Kernel, { path, openFiles, identityOf }: SegmentFilesOptions) {
    this.#kernel = kernel;
    this.#path = path;
    this.#identityOf = identityOf;
    this.#most = openFiles;
    this.#removed = kernel.control.diskFilesRemoved();
  }

  /** The descriptor of a segment file for synchronous I/O: valid until this thread's next call
   *  here. Throws ERR_DISK_IO if it cannot be opened. */
  fd(segment: number): number {
    return this.#use(segment).fd;
  }

  /** A file for asynchronous I/O: it stays open until `unpin`. A promise while all that may be open
   *  has I/O under way. Throws or rejects with ERR_DISK_IO if it cannot be opened. */
  pin(segment: number): SegmentFile | Promise<SegmentFile> {
    // Those who wait come first, or a file that is read all the time would keep them waiting.
    if (this.#waiting.length === 0 && this.#mayUse(segment)) return this.#pin(segment);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ segment, resolve, reject });
    });
  }

  unpin(file: SegmentFile): void {
    file.pins -= 1;
    if (file.pins > 0) return;
    if (this.#leaving.delete(file)) {
      this.#closeFile(file);
      this.#note();
    } else {
      this.#pinned -= 1;
      if (this.#isOver) this.#close(file);
    }
    this.#serve();
  }

  #serve(): void {
    for (let waiter = this.#waiting[0]; waiter !== undefined; waiter = this.#waiting[0]) {
      if (!this.#isOver && !this.#mayUse(waiter.segment)) return;
      this.#waiting.shift();
      try {
        waiter.resolve(this.#pin(waiter.segment));
      } catch (error) {
        waiter.reject(error);
      }
    }
  }

  #pin(segment: number): SegmentFile {
    const file = this.#use(segment);
    if (file.pins === 0) this.#pinned += 1;
    file.pins += 1;
    return file;
  }

  /** Whether the file is open, or can be with what is open now. */
  #mayUse(segment: number): boolean {
    if (this.#open.has(segment) || this.#pinned < this.#open.size) return true;
    return this.#open.size === 0 || this.#kernel.openFiles.all().files < this.#most;
  }

  #use(segment: number): SegmentFile {
    this.#isUsed = true;
    this.#forgetRemoved();
    const file = this.#open.get(segment) ?? this.#openFile(segment);
    if (file === this.#newest) return file;
    this.#open.delete(segment);
    this.#open.set(segment, file);
    this.#newest = file;
    return file;
  }

  /** Once files have left the disk, none that is open counts: a tombstone in a file that is gone
   *  would be lost. The word changes before a number is used again. */
  #forgetRemoved(): void {
    const removed = this.#kernel.control.diskFilesRemoved();
    if (removed === this.#removed) return;
    this.#removed = removed;
    for (const file of this.#open.values()) {
      if (file.pins > 0) this.#leaving.add(file);
      else this.#closeFile(file);
    }
    this.#open.clear();
    this.#pinned = 0;
    this.#newest = undefined;
    this.#note();
  }

  #openFile(segment: number): SegmentFile {
    if (this.#isOver) {
      throw new UndercroftError("ERR_DISK_IO", `Cannot open a file of ${this.#path}: it is closed`);
    }
    // Counted first, so that two threads that open at once see each other.
    this.#note(1);
    try {
      this.#makeRoom();
      const file = { segment, fd: this.#openAnyway(segment), pins: 0 };
      this.#open.set(segment, file);
      this.#timer ??= setTimeout(() => this.#lookIdle(), filesIdleMs).unref();
      return file;
    } finally {
      this.#note();
    }
  }

  /** After the end the thread id may be another thread's. */
  #note(more = 0): void {
    if (this.#isOver) return;
    this.#kernel.openFiles.note(this.#open.size + this.#leaving.size + more);
  }

  /** If the process has no descriptor left, with those that this thread does not need. */
  #openAnyway(segment: number): number {
    const identity = this.#identityOf(segment);
    try {
      return openSegment(this.#path, segment, identity);
    } catch (error) {
      const { code } = (error as Error).cause as NodeJS.ErrnoException;
      if (code !== "EMFILE" || this.#pinned === this.#open.size) throw error;
      this.closeUnpinned();
      return openSegment(this.#path, segment, identity);
    }
  }

  /** Closes what was used longest ago, as far as there are too many with one more. */
  #makeRoom(): void {
    for (const file of this.#open.values()) {
      const { files, threads } = this.#kernel.openFiles.all();
      const part = Math.max(1, Math.floor(this.#most / threads));
      const isOverPart = files >= this.#most && this.#open.size + 1 > part;
      if (files <= this.#most && !isOverPart) return;
      if (file.pins > 0) continue;
      this.#close(file);
      this.#note(1);
    }
  }

  #close(file: SegmentFile): void {
    this.#open.delete(file.segment);
    if (this.#newest === file) this.#newest = undefined;
    this.#closeFile(file);
  }

  #closeFile(file: SegmentFile): void {
    try {
      fs.closeSync(file.fd);
    } catch {
      this.#kernel.count(counterDiskErrors, 1);
    }
  }

  /** Closes every file without I/O under way, when none will be needed for a while. */
  closeUnpinned(): void {
    for (const file of this.#open.values()) if (file.pins === 0) this.#close(file);
    this.#note();
  }

  #lookIdle(): void {
    this.#timer = undefined;
    this.closeIdle();
    if (this.#open.size > 0) {
      this.#timer = setTimeout(() => this.#lookIdle(), filesIdleMs).unref();
    }
  }

  /** Closes all files if none was used since the last call. The janitor, which runs no timers,
   *  calls it every `filesIdleMs`. */
  closeIdle(): void {
    if (this.#isUsed) this.#isUsed = false;
    else this.closeUnpinned();
  }

  /** Closes all files, each once its I/O is over. None is opened afterwards. The cache is closed,
   *  or the thread has given its id back. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.closeUnpinned();
    this.#serve();
  }
}
