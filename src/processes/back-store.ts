// What the owner keeps for all: the cache of the directory, whose values are entries as they travel
// (wire-messages.ts). All changes of it go through here, in one thread, so they have one order.
import { createHash } from "node:crypto";
import { tagCountMax } from "../config/mod.js";
import { keyLengthMax } from "../record/mod.js";
import { decodeEntry, type Change, type End } from "./wire/wire-messages.js";
import {
  everything,
  isSpaceKey,
  namespaceNameOf,
  nameOfNamespace,
  nameOfTag,
} from "./space-keys.js";

/** The cache of the directory, as `openCache` gives it. */
export interface BackCache {
  getSync(key: Uint8Array): Uint8Array | undefined;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  set(
    key: Uint8Array,
    value: Uint8Array,
    options: { readonly ttl: number; readonly tags: readonly string[] },
  ): unknown;
  delete(key: Uint8Array): unknown;
  deleteByTag(tag: string): void;
  clear(): void;
  flush(options: { readonly fsync: boolean }): Promise<void>;
  close(): Promise<void>;
}

/** Longer names are tags by their hash. */
const plainNameBytesMax = 48;

export class BackStore {
  readonly #cache: BackCache;
  readonly #now: () => number;

  /** `now` is the wall clock. */
  constructor(cache: BackCache, now: () => number) {
    this.#cache = cache;
    this.#now = now;
  }

  /** The bytes of an entry; a promise unless they are in memory. */
  get(key: Buffer): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    if (key.length > keyLengthMax) return undefined;
    return this.#cache.getSync(key) ?? this.#cache.get(key);
  }

  /** Whether an entry may be answered as fresh. */
  isFresh(entry: Uint8Array): boolean {
    return (decodeEntry(entry)?.expiresAt ?? 0) > this.#now();
  }

  /** Sets an entry, or removes its key if it cannot be kept. */
  set({ key, entry }: Extract<Change, { kind: "set" }>): void {
    if (key.length > keyLengthMax) return;
    const decoded = decodeEntry(entry);
    const ttl = (decoded?.staleUntil ?? 0) - this.#now();
    const names = decoded === undefined ? [] : namesOf(key, decoded.tags);
    if (ttl > 0 && names.length <= tagCountMax) {
      this.#cache.set(key, entry, { ttl, tags: names.map(shortened) });
    } else this.#cache.delete(key);
  }

  end(end: End): void {
    if (end.kind === "void") {
      if (end.name === everything) this.#cache.clear();
      else this.#cache.deleteByTag(shortened(end.name));
    } else if (end.key.length <= keyLengthMax) this.#cache.delete(end.key);
  }

  flush(fsync: boolean): Promise<void> {
    return this.#cache.flush({ fsync });
  }

  close(): Promise<void> {
    return this.#cache.close();
  }
}

/** The names by which an entry ends together with others, but `everything`. */
export function namesOf(key: Buffer, tags: readonly string[]): string[] {
  const namespace = namespaceNameOf(key);
  const names = tags.map(nameOfTag);
  return namespace === nameOfNamespace("") ? names : [...names, namespace];
}

/** Whether the keys of changes can be composed keys. */
export function areSound(changes: readonly Change[]): boolean {
  return changes.every((change) => change.kind === "void" || isSpaceKey(change.key));
}

function shortened(name: string): string {
  if (Buffer.byteLength(name, "utf8") <= plainNameBytesMax) return name;
  return `#${createHash("sha256").update(name).digest("base64url")}`;
}
