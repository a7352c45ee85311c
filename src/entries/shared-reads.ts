// Reads from disk that are under way in one thread: who asks for a key that is being read waits for that read. Called by the entry
// reader. Invariant: a read is shared until its bytes are there, no longer: what is validated then may have been overwritten or
// deleted before the next one asks.
import type { HashedKey } from "../kernel/mod.js";
import type { DiskRead, DiskReader } from "../tiers/mod.js";

/** Reads that may be shared at once; beyond it each get reads for itself. */
const sharedReadsMax = 65_536;

interface SharedRead {
  readonly record: Promise<DiskRead>;
  /** Of those who share it: called when its bytes are there and are about to be validated. */
  readonly bytesRead: (() => void)[];
}

export class SharedReads {
  readonly #disk: DiskReader | null;
  readonly #reads = new Map<string, SharedRead>();

  constructor(disk: DiskReader | null) {
    this.#disk = disk;
  }

  /** As DiskReader.read; undefined without a disk. */
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
    const leave = (): void => {
      if (this.#reads.get(id)?.bytesRead === all) this.#reads.delete(id);
    };
    const read = disk.read(key, () => {
      leave();
      for (const one of all) one();
    });
    const record = read.finally(leave);
    this.#reads.set(id, { record, bytesRead: all });
    return record;
  }
}
