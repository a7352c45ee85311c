// Shares disk reads under way in one thread: a get of a key that is being read waits for that read.
// Called by the entry reader. Invariant: a read is shared only until its bytes arrive. It is
// validated then, and an overwrite or delete after that must not be hidden from a later get.
import type { HashedKey } from "../kernel/mod.js";
import type { DiskRead, DiskReader } from "../tiers/mod.js";

/** Reads shared at once. Beyond this, each get reads for itself. */
const sharedReadsMax = 65_536;

interface SharedRead {
  readonly record: Promise<DiskRead>;
  /** One callback per get that shares the read. Called when the bytes arrive, before validation. */
  readonly bytesRead: (() => void)[];
}

export class SharedReads {
  readonly #disk: DiskReader | null;
  readonly #reads = new Map<string, SharedRead>();

  constructor(disk: DiskReader | null) {
    this.#disk = disk;
  }

  /** Like DiskReader.read; undefined without a disk. */
  read(key: HashedKey, bytesRead: () => void): Promise<DiskRead> {
    const disk = this.#disk;
    if (disk === null) return Promise.resolve(undefined);
    const { id } = key;
    const shared = this.#reads.get(id);
    if (shared !== undefined) {
      shared.bytesRead.push(bytesRead);
      return shared.record;
    }
    if (this.#reads.size >= sharedReadsMax) return disk.read(key, bytesRead);
    const all = [bytesRead];
    let isOver = false;
    const leave = (): void => {
      isOver = true;
      if (this.#reads.get(id)?.bytesRead === all) this.#reads.delete(id);
    };
    const noteBytes = (): void => {
      leave();
      for (const one of all) one();
    };
    const record = disk.read(key, noteBytes, leave);
    // What needs no read is over before this call returns.
    if (!isOver) this.#reads.set(id, { record, bytesRead: all });
    return record;
  }
}
