// Memory tiers over one small memory, without workers: what the memory room's tests drive.

import { Kernel, compileKernel, createRegion, divide } from "../../dist/src/kernel/mod.js";
import { type Found, MemoryStore, type WriteFields } from "../../dist/src/memory/mod.js";

export const MiB = 1024 * 1024;

export const plainFields: WriteFields = {
  codecId: 3,
  flags: 0,
  createdMs: 5000,
  expiresMs: Infinity,
  staleUntilMs: Infinity,
  tags: new Uint8Array(0),
  flight: -1,
  forDisk: true,
};

export interface StoreOptions {
  readonly memoryBytes?: number;
  readonly diskSegments?: number;
  readonly createdBaseMs?: number;
}

/** As many threads' stores over one memory as are asked for. */
export function openStores(count: number, options: StoreOptions = {}): MemoryStore[] {
  const diskSegmentCount = options.diskSegments ?? 0;
  const geometry = divide({
    memoryBytes: options.memoryBytes ?? MiB,
    diskCapacityBytes: diskSegmentCount * MiB,
    diskSegmentCount,
    diskSegmentBytes: diskSegmentCount > 0 ? MiB : 0,
    remembersSets: false,
    policyBytes: 0,
    samples: false,
  });
  const memory = createRegion(geometry, 11n, options.createdBaseMs ?? 0);
  const module = compileKernel();
  return Array.from({ length: count }, () => new MemoryStore(Kernel.attach(module, memory)));
}

export function openStore(options: StoreOptions = {}): MemoryStore {
  return openStores(1, options)[0] as MemoryStore;
}

/** Writes as the facade does: the key to the window, then the record. */
export function write(
  store: MemoryStore,
  key: string | Uint8Array,
  value: string | Uint8Array,
  fields: Partial<WriteFields> = {},
): string {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  return store.write(key, store.keys.write(key), bytes, { ...plainFields, ...fields });
}

export function find(store: MemoryStore, key: string | Uint8Array): Found {
  return store.find(store.keys.write(key), false);
}

/** The value bytes of a key in memory as text, or what find answered. */
export function read(store: MemoryStore, key: string | Uint8Array): string {
  const found = find(store, key);
  if (found !== "memory") return `(${found})`;
  const { buffer, valueStart, valueEnd } = store.record;
  return buffer.toString("utf8", valueStart, valueEnd);
}

/** Takes all segments, so that no write finds one. */
export function fill(store: MemoryStore): void {
  const { segmentBytes } = store.kernel.geometry;
  while (store.kernel.verbs.reserve(segmentBytes, 0, 1) !== 0);
}
