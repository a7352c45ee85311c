// The namespace table of the shared memory: which names have which ids, and up to where each
// namespace was cleared. A name is added once, by the thread with the namespace lock, which writes
// the state of the entry last: whoever sees the state sees the whole entry, and it never changes.
import * as at from "../layout.js";
import type { Views } from "./views.js";

export class NamespaceTable {
  readonly #views: Views;

  constructor(views: Views) {
    this.#views = views;
  }

  /** Byte offset of an entry. */
  #entry(id: number): number {
    return at.namespaceTable + id * at.namespaceSize;
  }

  /** Whether there is a namespace with this id. */
  isTaken(id: number): boolean {
    return Atomics.load(this.#views.i32, (this.#entry(id) + at.namespaceState) / 4) === 1;
  }

  /** The name of the namespace with this id; "" if there is none. */
  nameOf(id: number): string {
    if (id < 1 || id > at.namespacesMax || !this.isTaken(id)) return "";
    const { u8, u32 } = this.#views;
    const length = u32[(this.#entry(id) + at.namespaceNameBytes) / 4] as number;
    const first = this.#entry(id) + at.namespaceName;
    return Buffer.from(u8.subarray(first, first + length)).toString("utf8");
  }

  /** The id of the namespace with this name; 0 if there is none. */
  idOf(name: string): number {
    for (let id = 1; id <= at.namespacesMax; id++) if (this.nameOf(id) === name) return id;
    return 0;
  }

  /** An id that no namespace has; 0 if all are taken. Call it with the namespace lock held. */
  freeId(): number {
    for (let id = 1; id <= at.namespacesMax; id++) if (!this.isTaken(id)) return id;
    return 0;
  }

  /** Adds a namespace. Call it with the namespace lock held, or before other threads attach. */
  add(id: number, name: string): void {
    const { u8, u32, i32 } = this.#views;
    const bytes = Buffer.from(name, "utf8");
    u8.set(bytes, this.#entry(id) + at.namespaceName);
    u32[(this.#entry(id) + at.namespaceNameBytes) / 4] = bytes.length;
    Atomics.store(i32, (this.#entry(id) + at.namespaceState) / 4, 1);
  }

  /** Records of the namespace up to this sequence were cleared. */
  clearEpoch(id: number): number {
    return Number(Atomics.load(this.#views.u64, this.#epochWord(id)));
  }

  /** Recovery calls it: what an earlier session cleared stays cleared. */
  restoreClearEpoch(id: number, sequence: number): void {
    Atomics.store(this.#views.u64, this.#epochWord(id), BigInt(sequence));
  }

  #epochWord(id: number): number {
    return (this.#entry(id) + at.namespaceClearEpoch) / 8;
  }
}
