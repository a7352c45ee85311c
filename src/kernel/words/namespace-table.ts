// The namespace table of the shared memory: which names have which ids, up to where each namespace
// was cleared, and its version. Whoever holds the namespace lock adds and changes entries, and
// writes the state of a new one last: whoever sees the state sees the whole entry. The name and the
// version of an entry that is in use never change. One that no thread has asked for in this session
// may be given to another name: so whoever looks without the lock compares the name once more after
// it has seen that the entry is in use.
import {
  counterEvictionsDisk,
  counterEvictionsMemory,
  counterExpirations,
  type RemovalCounter,
} from "../../stats/mod.js";
import * as at from "../layout.js";
import * as ns from "../namespace-layout.js";
import type { Views } from "./views.js";

const stateKnown = 1;
const stateInUse = 2;
/** More than a memory holds: a difference above it is a negative one. */
const negativeFrom = 2 ** 32 - 2 ** 16;

const removalFields: Readonly<Record<RemovalCounter, number>> = {
  [counterEvictionsMemory]: ns.namespaceEvictionsMemory,
  [counterEvictionsDisk]: ns.namespaceEvictionsDisk,
  [counterExpirations]: ns.namespaceExpirations,
};

/** A namespace of an earlier session. */
export interface KnownNamespace {
  readonly id: number;
  readonly name: string;
  /** Stands for its version (directory/namespace-slots.ts). */
  readonly versionHash: bigint;
  /** Its records up to this sequence were cleared. */
  readonly clear: number;
  /** The session that last asked for it, counted up. */
  readonly lastUse: number;
}

export class NamespaceTable {
  readonly #views: Views;

  constructor(views: Views) {
    this.#views = views;
  }

  /** Byte offset of a field of an entry. */
  #at(id: number, field: number): number {
    return at.namespaceTable + id * at.namespaceSize + field;
  }

  #state(id: number): number {
    return Atomics.load(this.#views.i32, this.#at(id, ns.namespaceState) / 4);
  }

  #setState(id: number, state: number): void {
    Atomics.store(this.#views.i32, this.#at(id, ns.namespaceState) / 4, state);
  }

  /** Whether it has a name, if only from an earlier session. */
  isKnown(id: number): boolean {
    return this.#state(id) !== 0;
  }

  /** Whether a thread has asked for the namespace in this session. */
  isInUse(id: number): boolean {
    return this.#state(id) === stateInUse;
  }

  /** The name of the namespace with this id; "" if there is none. */
  nameOf(id: number): string {
    if (id < 1 || id > at.namespacesMax || this.#state(id) === 0) return "";
    return this.#read(id, ns.namespaceName, ns.namespaceNameBytes);
  }

  /** What the directory is to know of it. Call it with the namespace lock held. */
  known(id: number): KnownNamespace {
    const name = this.#read(id, ns.namespaceName, ns.namespaceNameBytes);
    const versionHash = this.versionHash(id);
    return { id, name, versionHash, clear: this.clearEpoch(id), lastUse: this.#lastUse(id) };
  }

  /** What stands for the version of its entries. */
  versionHash(id: number): bigint {
    return this.#views.u64[this.#at(id, ns.namespaceVersionHash) / 8] as bigint;
  }

  /** The version of its entries, if it is in use; "" = none. */
  versionOf(id: number): string {
    return this.#read(id, ns.namespaceVersion, ns.namespaceVersionBytes);
  }

  #read(id: number, field: number, length: number): string {
    const { u8, u32 } = this.#views;
    const first = this.#at(id, field);
    const bytes = u32[this.#at(id, length) / 4] as number;
    return Buffer.from(u8.subarray(first, first + bytes)).toString("utf8");
  }

  #write(id: number, field: number, length: number, text: string): void {
    const { u8, u32 } = this.#views;
    const bytes = Buffer.from(text, "utf8");
    u8.set(bytes, this.#at(id, field));
    u32[this.#at(id, length) / 4] = bytes.length;
  }

  /** The id of the namespace with this name; 0 if there is none. */
  idOf(name: string): number {
    for (let id = 1; id <= at.namespacesMax; id++) if (this.nameOf(id) === name) return id;
    return 0;
  }

  /** An id that no namespace has; 0 if all are taken. */
  freeId(): number {
    for (let id = 1; id <= at.namespacesMax; id++) if (this.#state(id) === 0) return id;
    return 0;
  }

  #lastUse(id: number): number {
    return this.#word(id, ns.namespaceLastUse);
  }

  /** The id of the namespace that was asked for longest ago, and neither in this session nor in the
   *  one before that asked for any; 0 if there is none. */
  forgottenId(): number {
    let oldest = this.#lastUse(0);
    let found = 0;
    for (let id = 1; id <= at.namespacesMax; id++) {
      if (this.#state(id) !== stateKnown || this.#lastUse(id) >= oldest) continue;
      oldest = this.#lastUse(id);
      found = id;
    }
    return found;
  }

  /** Makes the entry of such a namespace free. Its records are cleared before. */
  release(id: number): void {
    this.#setState(id, 0);
  }

  /** Writes the name of a namespace that no thread sees before `use`. */
  name(id: number, name: string): void {
    this.#write(id, ns.namespaceName, ns.namespaceNameBytes, name);
  }

  /** Notes that this session has asked for a namespace. */
  noteUse(id: number): void {
    this.#views.u32[this.#at(id, ns.namespaceLastUse) / 4] = this.#lastUse(0) + 1;
  }

  /** Sets the version of a namespace that is not in use yet. */
  setVersion(id: number, version: string, hash: bigint): void {
    this.#write(id, ns.namespaceVersion, ns.namespaceVersionBytes, version);
    this.#views.u64[this.#at(id, ns.namespaceVersionHash) / 8] = hash;
  }

  /** Makes a namespace known to all threads. */
  use(id: number): void {
    this.#setState(id, stateInUse);
  }

  /** Brings back a namespace of an earlier session: before other threads attach, or with the
   *  namespace lock held. */
  restore({ id, name, versionHash, clear, lastUse }: KnownNamespace): void {
    if (id === 0) return;
    this.#views.u32[this.#at(id, ns.namespaceLastUse) / 4] = lastUse;
    const last = Math.max(this.#lastUse(0), lastUse);
    this.#views.u32[this.#at(0, ns.namespaceLastUse) / 4] = last;
    this.name(id, name);
    this.setVersion(id, "", versionHash);
    Atomics.store(this.#views.u64, this.#at(id, ns.namespaceClearEpoch) / 8, BigInt(clear));
    this.#setState(id, stateKnown);
  }

  /** Bytes of memory that are kept for it; 0 = none. */
  memoryShare(id: number): number {
    return this.#views.f64[this.#at(id, ns.namespaceMemoryShare) / 8] as number;
  }

  /** Bytes of the disk that are kept for it; 0 = none. */
  diskShare(id: number): number {
    return this.#views.f64[this.#at(id, ns.namespaceDiskShare) / 8] as number;
  }

  /** Sets the shares of a namespace that is not in use yet. */
  setShares(id: number, memoryBytes: number, diskBytes: number): void {
    this.#views.f64[this.#at(id, ns.namespaceMemoryShare) / 8] = memoryBytes;
    this.#views.f64[this.#at(id, ns.namespaceDiskShare) / 8] = diskBytes;
    if (memoryBytes + diskBytes === 0) return;
    Atomics.add(this.#views.i32, at.controlNamespaceShares / 4, 1);
  }

  /** Whether any namespace has a share. */
  hasShares(): boolean {
    return this.#views.i32[at.controlNamespaceShares / 4] !== 0;
  }

  // ── Counts ──────────────────────────────────────────────────────────────────────────────────

  #word(id: number, field: number): number {
    return this.#views.u32[this.#at(id, field) / 4] as number;
  }

  /** Live bytes in memory. Threads count without waiting for each other: less than none, for a
   *  moment, is none. */
  memoryBytes(id: number): number {
    return differenceOf(this.#word(id, ns.namespaceBytesIn), this.#word(id, ns.namespaceBytesOut));
  }

  /** Live entries in memory. */
  memoryEntries(id: number): number {
    const entriesIn = this.#word(id, ns.namespaceEntriesIn);
    return differenceOf(entriesIn, this.#word(id, ns.namespaceEntriesOut));
  }

  /** How many bytes, and entries, came and left so far. Wraps at 2^32. */
  flow(id: number): { readonly bytes: number; readonly entries: number } {
    const bytes = this.#word(id, ns.namespaceBytesIn) + this.#word(id, ns.namespaceBytesOut);
    const entries = this.#word(id, ns.namespaceEntriesIn) + this.#word(id, ns.namespaceEntriesOut);
    return { bytes: bytes >>> 0, entries: entries >>> 0 };
  }

  /** Begins the count of `recount`. */
  beginRecount(id: number): void {
    this.#views.u32[this.#at(id, ns.namespaceBytesSeen) / 4] = 0;
    this.#views.u32[this.#at(id, ns.namespaceEntriesSeen) / 4] = 0;
  }

  /** What `recount` has seen. */
  seen(id: number): { readonly bytes: number; readonly entries: number } {
    const bytes = this.#word(id, ns.namespaceBytesSeen);
    return { bytes, entries: this.#word(id, ns.namespaceEntriesSeen) };
  }

  /** Corrects the counts to these. */
  correct(id: number, bytes: number, entries: number): void {
    this.#correct(id, ns.namespaceBytesIn, ns.namespaceBytesOut, bytes);
    this.#correct(id, ns.namespaceEntriesIn, ns.namespaceEntriesOut, entries);
  }

  /** How many of its entries have left, by how; any thread may count. */
  removals(id: number, counter: RemovalCounter): number {
    return Number(Atomics.load(this.#views.u64, this.#at(id, removalFields[counter]) / 8));
  }

  /** Counts one that has left. */
  countRemoval(id: number, counter: RemovalCounter): void {
    Atomics.add(this.#views.u64, this.#at(id, removalFields[counter]) / 8, 1n);
  }

  /** As `removals`, and counts from 0 again. */
  takeRemovals(id: number, counter: RemovalCounter): number {
    return Number(Atomics.exchange(this.#views.u64, this.#at(id, removalFields[counter]) / 8, 0n));
  }

  #correct(id: number, more: number, less: number, wanted: number): void {
    const missing = wanted - (this.#word(id, more) - this.#word(id, less));
    Atomics.sub(this.#views.i32, this.#at(id, less) / 4, missing | 0);
  }

  /** Records of the namespace up to this sequence were cleared. */
  clearEpoch(id: number): number {
    return Number(Atomics.load(this.#views.u64, this.#at(id, ns.namespaceClearEpoch) / 8));
  }

  /** Clears what it has up to a sequence, for good: records of an earlier session. */
  raiseClearEpoch(id: number, sequence: number): void {
    const word = this.#at(id, ns.namespaceClearEpoch) / 8;
    const wanted = BigInt(sequence);
    for (let seen = Atomics.load(this.#views.u64, word); seen < wanted;) {
      const was = Atomics.compareExchange(this.#views.u64, word, seen, wanted);
      if (was === seen) return;
      seen = was;
    }
  }

  /** Grows with each clear of a namespace. */
  clears(): number {
    return Atomics.load(this.#views.i32, at.controlNamespaceClears / 4);
  }
}

/** The difference of two counts that wrap at 2^32; 0 if it is negative. */
function differenceOf(more: number, less: number): number {
  const difference = (more - less) >>> 0;
  return difference > negativeFrom ? 0 : difference;
}
