// Opens caches: `openCache` in the thread that owns one, `attachCache` in any other thread of the
// process. Invariant: if either throws, nothing stays open: no thread id, descriptor or worker.
import { randomBytes, randomUUID } from "node:crypto";
import { isMainThread } from "node:worker_threads";
import {
  assertRuntime,
  assertTimersRun,
  describe,
  monotonicMs,
  readAnchorMs,
  setImmediate,
  type UndercroftError,
  uptimeMs,
} from "../base/mod.js";
import {
  type AdmissionFilter,
  assertFilter,
  type Config,
  type CustomCodec,
  optionsOf,
  resolveConfig,
  encryptionKeysOf,
} from "../config/mod.js";
import { type OpenDirectory, segmentsAtMost } from "../directory/mod.js";
import { segmentsOf, ThreadCore } from "../entries/mod.js";
import { policyBytesFor, setPolicy, type WorkerHandle } from "../eviction/mod.js";
import { codes, compileKernel, createRegion, divide, Kernel, tagSlotsOf } from "../kernel/mod.js";
import { type DiskHandle, diskHandle } from "../tiers/mod.js";
import type { Tier } from "../outer-tiers/mod.js";
import { createdBaseOf } from "../record/mod.js";
import { announce, handleOf } from "./by-name/open-caches.js";
import { recentKeysBytes, requestRingBytes, spaceCountsBytes } from "../stats/mod.js";
import { Cache } from "./cache.js";
import { type DiskAtOpen, openDisk, prepare } from "./disk/opening.js";
import { backOf, frontOf } from "./disk/back-options.js";
import { setDirectory } from "./disk/take-over.js";
import { CacheEvents } from "./events.js";
import { assertCacheHandle, type CacheHandle } from "./handle.js";
import { type CacheOptions, listen, listenersOf } from "./open-options.js";
import { OpenerSide } from "./opener-side.js";
import { OperatorsSide } from "./operators/operators-side.js";
import { OuterSide } from "./outer/outer-side.js";
import { type OpenBack, SharedSide } from "./outer/shared-side.js";
import { assertUnshared, tiersOf } from "./outer/tier-options.js";
import { ThreadRegistration } from "./thread-registration.js";

/**
 * Opens a cache. Resolves when the index of its directory is recovered.
 *
 * @returns The cache. The calling thread is its opener: it has the directory and the workers.
 * @throws Rejects with TypeError or RangeError that names a wrong option, its value and what is
 *   allowed; with UndercroftError of code ERR_DIRECTORY_LOCKED, ERR_DIRECTORY_NOT_WRITABLE,
 *   ERR_DIRECTORY_NOT_OURS, ERR_NOT_A_DIRECTORY, ERR_FORMAT_VERSION, ERR_DISK_IO, ERR_RUNTIME or
 *   ERR_WORKER. Nothing stays open then.
 *
 * @example
 * ```ts
 * import { mkdtemp, rm } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { openCache } from "undercroft";
 *
 * const path = await mkdtemp(join(tmpdir(), "undercroft-"));
 * const cache = await openCache<string>({ memory: "16mb", disk: { path, capacity: "64mb" } });
 * cache.set("a", "kept");
 * await cache.close(); // flushes
 * const again = await openCache<string>({ memory: "16mb", disk: { path, capacity: "64mb" } });
 * console.log(await again.get("a")); // kept
 * await again.close();
 * await rm(path, { recursive: true });
 * ```
 */
export async function openCache<V = unknown>(options: CacheOptions<V> = {}): Promise<Cache<V>> {
  const config = resolveConfig(options as CacheOptions<unknown>);
  const tiers = tiersOf(options.tiers);
  const { disk } = config;
  if (disk?.isShared !== true) return openWith(options, config, { tiers, sharedOf: null });
  assertUnshared(tiers);
  const openBack: OpenBack = (on) => {
    const back = backOf(options as CacheOptions<never>, config, on);
    return openWith(back, resolveConfig(back), { tiers: [], sharedOf: null, isInner: true });
  };
  return openWith(options, frontOf(config), {
    tiers: [],
    sharedOf: (core, events) => new SharedSide(core, events, disk.path, openBack),
  });
}

/** What a cache is opened with beside its options. */
interface Opening {
  readonly tiers: readonly Tier[];
  /** Makes the way to the owner of a directory that processes share; null if they do not. */
  readonly sharedOf: ((core: ThreadCore, events: CacheEvents) => SharedSide) | null;
  /** It is the directory's part of another cache: no thread attaches to it. */
  readonly isInner?: boolean;
}

async function openWith<V>(
  options: CacheOptions<V>,
  config: Config,
  opening: Opening,
): Promise<Cache<V>> {
  const listeners = listenersOf(options.on);
  assertRuntime();
  await assertTimersRun();
  const anchorMs = readAnchorMs();
  const isClockInjected = options.clock !== undefined;
  const disk = await openDisk(config, encryptionKeysOf(options.disk), () => ({
    wallNow: options.clock?.now() ?? readAnchorMs() + monotonicMs(),
    uptimeMs: isClockInjected ? undefined : uptimeMs(),
  }));
  const { directory } = disk;
  const wallNow = options.clock?.now() ?? anchorMs + monotonicMs();
  let opener: OpenerSide | undefined;
  try {
    const aheadMs = directory?.clockAheadMs ?? 0;
    const worker = createMemory(config, disk, isClockInjected, wallNow + aheadMs);
    const kernel = Kernel.attach(worker.module, worker.memory);
    setDisk(kernel, config, worker.disk, disk);
    kernel.control.clockWords.values.set([anchorMs + aheadMs, aheadMs]);
    prepare(kernel, disk);
    kernel.verbs.tick(wallNow + aheadMs);
    withhold(kernel, config, options.memory);
    setPolicy(kernel, config.eviction);
    const events = eventsOf(kernel, config.name);
    listen(events, listeners);
    const codec = customCodecOf(options.codec);
    const core = new ThreadCore(kernel, config, worker, {
      codec,
      filter: options.disk?.admission?.filter,
      clock: options.clock,
      onFault: (error) => opener?.diskFault(error),
      onError: (error, key) => events.emit("error", { error, key }),
      // Emits later: a listener may call the cache, and the set under way must end first.
      onRemovals: (entries) => void setImmediate(() => opener?.removed(entries)),
    });
    opener = new OpenerSide(core, worker, disk, events);
    await opener.start();
    return await finish({ core, events, opener, codec, worker }, opening);
  } catch (error) {
    const end = opener === undefined ? directory?.abandon() : opener.close();
    await end?.catch(() => undefined);
    throw error;
  }
}

/** The events of a cache, which has its removals told while somebody listens for them. */
function eventsOf({ control }: Kernel, name: string): CacheEvents {
  const events: CacheEvents = new CacheEvents(
    () => control.listenForRemovals(events.hasListeners("evict") || events.hasListeners("expire")),
    name,
  );
  return events;
}

/** What an opener has before its cache is made. */
interface Opened {
  readonly core: ThreadCore;
  readonly events: CacheEvents;
  readonly opener: OpenerSide;
  readonly codec: CustomCodec<unknown> | undefined;
  readonly worker: WorkerHandle;
}

/** Makes the cache, and attaches it to its tiers or to the owner of its directory. */
async function finish<V>(
  { core, events, opener, codec, worker }: Opened,
  { tiers, sharedOf, isInner = false }: Opening,
): Promise<Cache<V>> {
  const id = randomUUID();
  const shared = sharedOf?.(core, events) ?? null;
  const behind = shared === null ? tiers : [shared.tier];
  const outer = await OuterSide.open(behind, core, id, codec, events, shared?.words ?? null);
  const handle: CacheHandle = {
    kind: "undercroft-handle",
    version: 1,
    id,
    config: core.config,
    worker,
    recovery: opener.recovery,
    tiers: outer?.words.buffer ?? null,
    processes: shared?.words.buffer ?? null,
  };
  const operators = core.config.operators ? new OperatorsSide(core, outer) : null;
  if (operators !== null) await opener.answer(operators);
  const registration = new ThreadRegistration(core, (entries) => opener.leftOut(entries));
  if (!isInner) announce(handle);
  const cache = new Cache<V>({ core, events, handle, opener, outer, registration, shared });
  operators?.reach((name) => cache.spaceOf(name));
  await outer?.listen(behind);
  try {
    await shared?.start();
  } catch (error) {
    await cache.close().catch(() => undefined);
    throw error;
  }
  return cache;
}

/** Takes what is beyond the memory at first out of use. */
function withhold(kernel: Kernel, { memoryNowBytes }: Config, given: unknown): void {
  const now: unknown = typeof given === "object" ? Reflect.get(given as object, "now") : given;
  const wanted = segmentsOf("memory.now", memoryNowBytes, now, kernel);
  kernel.control.setSegmentsWanted(wanted);
  const { verbs, geometry } = kernel;
  for (let left = geometry.segmentCount - wanted; left > 0; left--) verbs.withholdSegment();
}

function createMemory(
  config: Config,
  { directory, awaited }: DiskAtOpen,
  isClockInjected: boolean,
  now: number,
): WorkerHandle {
  const made = directory ?? awaited?.peek;
  const geometry = divide({
    memoryBytes: config.memoryBytes,
    diskCapacityBytes: config.disk?.capacityBytes ?? 0,
    diskSegmentCount: made === undefined ? 0 : segmentsMostOf(config, made),
    diskSegmentBytes: made?.segmentBytes ?? 0,
    remembersSets: config.disk?.admission.seenBefore === true,
    policyBytes: policyBytesFor(config.eviction.policy, config.memoryBytes),
    samples: config.eviction.policy === "auto",
    loads: true,
    notesWrites: awaited !== null,
  });
  const seed = made?.seed ?? randomBytes(8).readBigUInt64LE(0);
  const memory = createRegion(geometry, seed, createdBaseOf(now));
  return {
    module: compileKernel(),
    memory,
    isClockInjected,
    spaceCounts: new SharedArrayBuffer(spaceCountsBytes(codes.threadsMax, codes.namespacesMax + 1)),
    recentKeys: config.operators ? new SharedArrayBuffer(recentKeysBytes) : null,
    requests: config.operators ? new SharedArrayBuffer(requestRingBytes) : null,
    disk: made === undefined ? null : handleOfDisk(config, made),
  };
}

/** Says how large the disk is at first, and gives all threads the files if they are the cache's. */
function setDisk(
  kernel: Kernel,
  config: Config,
  handle: DiskHandle | null,
  { directory, awaited }: DiskAtOpen,
): void {
  const capacity = config.disk?.capacityNowBytes ?? 0;
  kernel.control.setDiskWanted(capacity);
  kernel.control.setDiskCapacity(capacity);
  kernel.control.setDiskSegments((directory ?? awaited?.peek)?.segmentCount ?? 0);
  if (directory !== null && handle !== null) setDirectory(kernel, handle, directory);
}

/** The segment files that a disk may have at most. */
function segmentsMostOf(config: Config, made: DiskMade): number {
  if (config.disk === null) return 0;
  const { capacityBytes } = config.disk;
  const tagSlots = tagSlotsOf(config.memoryBytes, capacityBytes);
  return Math.max(made.segmentCount, segmentsAtMost(capacityBytes, made.segmentBytes, tagSlots));
}

/** What the disk's part of a memory is made for. */
type DiskMade = Pick<OpenDirectory, "seed" | "segmentBytes" | "segmentCount">;

function handleOfDisk(config: Config, made: DiskMade): DiskHandle | null {
  if (config.disk === null) return null;
  const { path, admission, evictsUnwritten, openFiles } = config.disk;
  const { seed, segmentBytes } = made;
  const isOpenerMortal = !isMainThread;
  const rules = { admission, evictsUnwritten, openFiles };
  const most = segmentsMostOf(config, made);
  const parts = { path, segmentBytes, seed, ...rules, isOpenerMortal };
  return diskHandle(parts, most, config.disk.isEncrypted);
}

function customCodecOf(codec: unknown): CustomCodec<unknown> | undefined {
  return typeof codec === "object" ? (codec as CustomCodec<unknown>) : undefined;
}

/**
 * Options of `attachCache`: the functions of `openCache`'s options, which cannot be posted.
 *
 * @example
 * ```ts
 * import { type AttachOptions, attachCache, type CustomCodec, openCache } from "undercroft";
 *
 * const codec: CustomCodec<string> = {
 *   name: "utf8",
 *   encode: (text) => Buffer.from(text),
 *   decode: (bytes) => Buffer.from(bytes).toString(),
 * };
 * const cache = await openCache<string>({ codec });
 * const options: AttachOptions<string> = { codec };
 * const attached = attachCache<string>(cache.handle(), options);
 * attached.set("a", "text");
 * console.log(cache.getSync("a")); // text
 * await attached.close();
 * await cache.close();
 * ```
 */
export interface AttachOptions<V> {
  /** Required if the cache has a custom codec: one with the same name. */
  readonly codec?: CustomCodec<V>;
  /**
   * Required if the cache has a `disk.admission.filter`: what decides about the entries that this
   * thread sets.
   */
  readonly filter?: AdmissionFilter;
}

/** Runs before a thread id is claimed, because nothing would give it back after a throw. */
function attachedCodecOf(given: unknown, config: Config): CustomCodec<unknown> | undefined {
  if (config.codec !== "custom") {
    if (given === undefined || given === config.codec) return undefined;
    throw new TypeError(
      `Cannot attach to a cache: options.codec is ${describe(given)}; it must be left out, ` +
        `as the cache was opened with codec ${describe(config.codec)}`,
    );
  }
  const codec = customCodecOf(given) as Partial<CustomCodec<unknown>> | null | undefined;
  const isWhole = typeof codec?.encode === "function" && typeof codec.decode === "function";
  if (isWhole && codec.name === config.codecName) return codec as CustomCodec<unknown>;
  const name: unknown = codec?.name;
  const shown = typeof name === "string" ? `one named ${describe(name)}` : describe(given);
  const text = `Cannot attach to a cache: options.codec is ${shown}`;
  throw new TypeError(
    `${text}; it must be the codec named ${describe(config.codecName)}, with encode() and decode()`,
  );
}

/** Like `attachedCodecOf`. Without the filter, this thread would write everything to disk. */
function attachedFilterOf(given: unknown, config: Config): AdmissionFilter | undefined {
  if (config.disk?.admission.isFiltered === true) {
    assertFilter("filter", given);
    return given;
  }
  if (given === undefined) return undefined;
  throw new TypeError(
    `Cannot attach to a cache: options.filter is ${describe(given)}; it must be left out, ` +
      "as the cache was opened without disk.admission.filter",
  );
}

/**
 * Attaches this thread to a cache that another thread of the process opened, by its handle or by
 * its name. A thread's first takes 2 to 3 ms, since its code runs there anew; the others 0.3 ms.
 *
 * A name is known in the thread that opened the cache, in workers that it started while the cache
 * was open, and in workers that those start. It is carried as environment data of Node. A worker
 * that was started then keeps the memory of the closed cache until it ends, or opens, attaches to
 * or closes a cache.
 *
 * @returns A cache with the same methods. Its `close` only detaches this thread.
 * @throws TypeError if the handle is not one, or a codec or filter is missing or not wanted;
 *   UndercroftError with ERR_CACHE_CLOSED if the cache is closed, with ERR_TOO_MANY_THREADS if all
 *   64 thread ids are taken (the opener has one; the pool has its own); by name with
 *   ERR_UNKNOWN_CACHE if no open cache of that name is known, with ERR_AMBIGUOUS_CACHE if two are.
 *
 * @example
 * ```ts
 * import { isMainThread, Worker, workerData } from "node:worker_threads";
 * import { attachCache, type CacheHandle, openCache } from "undercroft";
 *
 * if (isMainThread) {
 *   const cache = await openCache<string>();
 *   const worker = new Worker(new URL(import.meta.url), { workerData: cache.handle() });
 *   await new Promise((resolve) => worker.once("exit", resolve));
 *   console.log(cache.getSync("from")); // the worker
 *   await cache.close();
 * } else {
 *   const cache = attachCache<string>(workerData as CacheHandle); // or attachCache("default")
 *   cache.set("from", "the worker");
 *   await cache.close();
 * }
 * ```
 */
export function attachCache<V = unknown>(
  handleOrName: CacheHandle | string,
  options: AttachOptions<V> = {},
): Cache<V> {
  const handle = typeof handleOrName === "string" ? handleOf(handleOrName) : handleOrName;
  assertCacheHandle(handle);
  const { config, worker } = handle;
  const given = optionsOf("", options, ["codec", "filter"]);
  const codec = attachedCodecOf(given["codec"], config);
  const filter = attachedFilterOf(given["filter"], config);
  const kernel = Kernel.attach(worker.module, worker.memory);
  const events = new CacheEvents(undefined, config.name);
  const core = new ThreadCore(kernel, config, worker, {
    codec,
    filter,
    clock: undefined,
    onFault: (error: UndercroftError) => events.emit("tier-down", { tier: "disk", error }),
    onError: (error, key) => events.emit("error", { error, key }),
    onRemovals: null,
  });
  const outer = OuterSide.attach(handle, core, codec);
  const registration = new ThreadRegistration(core, null);
  return new Cache<V>({ core, events, handle, opener: null, outer, registration, shared: null });
}
