// Memory tiers over one small memory, without workers. Used by the tests of the memory room.

import {
  compileKernel,
  createRegion,
  divide,
  Kernel,
  type Key,
  KeyWindow,
} from "../../dist/src/kernel/mod.js";
import {
  type Found,
  MemoryReader,
  MemoryWriter,
  type WriteFields,
} from "../../dist/src/memory/mod.js";
import type { RecordReader } from "../../dist/src/record/mod.js";

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

/** The memory tier as one thread has it: a reader and a writer over one key window. */
export class OpenedStore {
  readonly kernel: Kernel;
  readonly keys: KeyWindow;
  readonly reader: MemoryReader;
  readonly writer: MemoryWriter;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.keys = new KeyWindow(kernel);
    this.reader = new MemoryReader(kernel, this.keys);
    this.writer = new MemoryWriter(kernel, this.keys);
  }

  /** The last record read. */
  get record(): RecordReader {
    return this.reader.record;
  }
}

/** Stores over one memory, as many threads' as requested. */
export function openStores(count: number, options: StoreOptions = {}): OpenedStore[] {
  const diskSegmentCount = options.diskSegments ?? 0;
  const geometry = divide({
    memoryBytes: options.memoryBytes ?? MiB,
    diskCapacityBytes: diskSegmentCount * MiB,
    diskSegmentCount,
    diskSegmentBytes: diskSegmentCount > 0 ? MiB : 0,
    remembersSets: false,
    policyBytes: 0,
    samples: false,
    loads: true,
  });
  const memory = createRegion(geometry, 11n, options.createdBaseMs ?? 0);
  const module = compileKernel();
  return Array.from({ length: count }, () => new OpenedStore(Kernel.attach(module, memory)));
}

export function openStore(options: StoreOptions = {}): OpenedStore {
  return openStores(1, options)[0] as OpenedStore;
}

export function write(
  store: OpenedStore,
  key: Key,
  value: string | Uint8Array,
  fields: Partial<WriteFields> = {},
): string {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  return store.writer.write(key, bytes, { ...plainFields, ...fields });
}

export function find(store: OpenedStore, key: Key): Found {
  return store.reader.find(key, false);
}

/** The value bytes of a key in memory as text, or what find answered. */
export function read(store: OpenedStore, key: Key): string {
  const found = find(store, key);
  if (found !== "memory") return `(${found})`;
  const { buffer, valueStart, valueEnd } = store.record;
  return buffer.toString("utf8", valueStart, valueEnd);
}

/** Takes all segments, so that no write finds one. */
export function fill(store: OpenedStore): void {
  const { segmentBytes } = store.kernel.geometry;
  while (store.kernel.verbs.reserve(segmentBytes, 0, 1) !== 0);
}
