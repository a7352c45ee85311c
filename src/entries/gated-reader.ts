// Reads entries of a process that shares a directory with others (processes/): what memory has may
// be answered only while the process holds a lease. Invariant: the gate is looked at after the
// value was read, so the value was current at some moment before the lease had ended.
import type { HashedKey, Key } from "../kernel/mod.js";
import { EntryReader } from "./entry-reader.js";
import {
  type CacheEntry,
  type FoundValue,
  noValue,
  type OnDisk,
  type Peek,
  type PeekedEntry,
} from "./found-entry.js";
import type { ThreadCore } from "./thread-core.js";
import type { ValueDecoder } from "./value-decoder.js";

/** Says whether what was just read from memory may be answered. */
export interface Gate {
  isHeld(): boolean;
}

export class GatedReader<V> extends EntryReader<V> {
  readonly #gate: Gate;

  constructor(core: ThreadCore, decoder: ValueDecoder<V>, gate: Gate) {
    super(core, decoder);
    this.#gate = gate;
  }

  #held<T>(found: T): T | undefined {
    return found === undefined || this.#gate.isHeld() ? found : undefined;
  }

  override getSync(key: Key): V | undefined {
    return this.#held(super.getSync(key));
  }

  override get(key: Key, onDisk?: OnDisk): V | undefined | Promise<V | undefined> {
    const found = super.get(key, onDisk);
    return found instanceof Promise ? found.then((value) => this.#held(value)) : this.#held(found);
  }

  override async getEntry(key: Key): Promise<CacheEntry<V> | undefined> {
    return this.#held(await super.getEntry(key));
  }

  override has(key: Key): boolean {
    return super.has(key) && this.#gate.isHeld();
  }

  override peek(key: Key): Peek<V> {
    const found = super.peek(key);
    return found.kind === "disk" || this.#gate.isHeld() ? found : noValue.absent;
  }

  override peekEntry(key: Key): PeekedEntry<V> {
    const found = super.peekEntry(key);
    return found.kind === "disk" || this.#gate.isHeld() ? found : noValue.absent;
  }

  override peekAgain(key: HashedKey): FoundValue<V> | undefined {
    return this.#held(super.peekAgain(key));
  }

  override async readDisk(
    key: HashedKey,
    bytesRead: () => void,
  ): Promise<FoundValue<V> | undefined> {
    return this.#held(await super.readDisk(key, bytesRead));
  }
}
