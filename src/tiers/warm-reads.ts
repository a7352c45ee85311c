// Whether a thread may read a record on its own, in place of asking libuv's pool. From the system's
// page cache a read takes 1 to 2 µs, while the pool takes 6 to 30 for one: its threads fall asleep
// between reads, and each has to be woken. From a disk the thread would stand still, so it reads
// on its own only where and while that is known to be short: the files are on a local file system,
// the last reads by the pool were fast, and none is under way for long. One that was slow all the
// same ends it, and each time twice as many fast ones are needed to begin again. Called by the disk
// reader.
import { elapsedMs, setImmediate } from "../base/mod.js";
import { fs } from "../device/mod.js";

/** The largest record that is read so: some 10 µs. */
const bytesMost = 64 * 1024;
/** Milliseconds after which a read on this thread was slow, so not from the page cache. */
const slowMs = 0.1;
/** The same for a read by the pool, which waits for its turn behind those before it; and for each
 *  of these. */
const slowPoolMs = 2;
const slowWaitMs = 0.05;
/** Fast reads by the pool in a row before the first on this thread, and the most that are asked
 *  for. */
const neededFirst = 4;
const neededMost = 4096;
/** Fast reads in a row on this thread after which half as many will be needed. */
const forgivenAfter = 256;

/** Reads of one turn of the event loop, about 1 ms of gets. Those after them wait for the next, or
 *  gets that follow each other would keep timers and I/O waiting. */
export const readsOfTurn = 128;

/** What Linux says of file systems on disks and in memory of the machine itself: ext2 to ext4, xfs,
 *  btrfs, tmpfs, overlayfs, f2fs, zfs. On others a read may wait for a network. */
const localTypes = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1,
]);

/** A read by the pool. */
export interface PoolRead {
  readonly since: number;
  readonly allowedMs: number;
}

export class WarmReads {
  readonly #path: string;
  #isLocal: boolean | undefined;
  /** Fast reads by the pool in a row, and how many are needed. */
  #fast = 0;
  #needed = neededFirst;
  /** Fast reads on this thread in a row. */
  #warm = 0;
  readonly #underWay = new Set<PoolRead>();
  /** Reads of this turn, and those that wait for the next, oldest first. */
  #ofTurn = 0;
  #isTurnKnown = false;
  readonly #waiting: (() => void)[] = [];

  /** `path`: where the files are. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Whether to read so many bytes on this thread. */
  mayRead(bytes: number): boolean {
    if (this.#fast < this.#needed || bytes > bytesMost) return false;
    for (const { since, allowedMs } of this.#underWay) {
      // The oldest comes first.
      if (elapsedMs() - since > allowedMs) return false;
      break;
    }
    this.#isLocal ??= isLocal(this.#path);
    return this.#isLocal;
  }

  /** Before a read on this thread: a promise if it has to wait for a later turn. */
  turn(): Promise<void> | undefined {
    if (this.#ofTurn >= readsOfTurn) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#ofTurn += 1;
    this.#awaitTurn();
    return undefined;
  }

  #awaitTurn(): void {
    if (this.#isTurnKnown) return;
    this.#isTurnKnown = true;
    setImmediate(() => {
      this.#isTurnKnown = false;
      const next = this.#waiting.splice(0, readsOfTurn);
      this.#ofTurn = next.length;
      if (next.length > 0) this.#awaitTurn();
      for (const wake of next) wake();
    });
  }

  /** After a read on this thread: how long it took. */
  noteOwn(ms: number): void {
    if (ms > slowMs) {
      this.#fast = 0;
      this.#warm = 0;
      this.#needed = Math.min(neededMost, this.#needed * 2);
      return;
    }
    this.#warm += 1;
    if (this.#warm < forgivenAfter) return;
    this.#warm = 0;
    this.#needed = Math.max(neededFirst, this.#needed / 2);
  }

  /** Before a read by the pool; `endPool` comes after it. */
  beginPool(): PoolRead {
    const allowedMs = slowPoolMs + this.#underWay.size * slowWaitMs;
    const read = { since: elapsedMs(), allowedMs };
    this.#underWay.add(read);
    return read;
  }

  endPool(read: PoolRead): void {
    this.#underWay.delete(read);
    const isFast = elapsedMs() - read.since <= read.allowedMs;
    this.#fast = isFast ? this.#fast + 1 : 0;
  }
}

function isLocal(path: string): boolean {
  if (process.platform !== "linux") return false;
  try {
    return localTypes.has(fs.statfsSync(path, { bigint: false }).type);
  } catch {
    return false;
  }
}
