// Reads from disk that are under way in one thread: who asks for a key that is being read waits for that read. Called by the
// reader. Invariant: a read is shared until its bytes have landed, no longer: what is validated then may have been
// overwritten or deleted before the next one asks.
import type { RecordReader } from "../record/mod.js";
import type { DiskTier } from "../tiers/mod.js";
import type { Key } from "./fill-store.js";

/** Reads that may be shared at once; beyond it each get reads for itself. */
const sharedReadsMax = 65_536;

interface SharedRead {
  readonly record: Promise<RecordReader | "memory" | undefined>;
  /** Of those who share it: called when its bytes have landed and are about to be validated. */
  readonly bytesRead: (() => void)[];
}

export class SharedReads {
  readonly #tier: DiskTier | null;
  readonly #reads = new Map<string, SharedRead>();

  constructor(tier: DiskTier | null) {
    this.#tier = tier;
  }

  /** The record on disk, undefined if there is none, or "memory" if it has come back there. */
  read(key: Key, bytesRead: () => void): Promise<RecordReader | "memory" | undefined> {
    const tier = this.#tier;
    if (tier === null) return Promise.resolve(undefined);
    const name = typeof key === "string" ? key : Buffer.from(key).toString("latin1");
    const id = typeof key === "string" ? `s${name}` : `b${name}`;
    const shared = this.#reads.get(id);
    if (shared !== undefined) {
      shared.bytesRead.push(bytesRead);
      return shared.record;
    }
    if (this.#reads.size >= sharedReadsMax) return tier.read(key, bytesRead);
    const all = [bytesRead];
    const leave = (): void => {
      if (this.#reads.get(id)?.bytesRead === all) this.#reads.delete(id);
    };
    const read = tier.read(key, () => {
      leave();
      for (const one of all) one();
    });
    const record = read.finally(leave);
    this.#reads.set(id, { record, bytesRead: all });
    return record;
  }
}
