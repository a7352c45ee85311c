// Every metric of a cache. Called by the exporters. Invariant: every number of stats() is here,
// except those that others give (ratios, sums, percentiles); a test checks it.
import { threadId } from "node:worker_threads";
import type { CacheStats } from "../stats/mod.js";
import { counter, each, level, type Metric, one, type Sample } from "./metric.js";

const reads: readonly Metric[] = [
  {
    name: "lookups",
    kind: "counter",
    unit: "{lookup}",
    help: "Lookups of a key, by what they found and in which tier.",
    labels: ["result", "tier"],
    read: ({ hits, misses }) => [
      ...each("tier", { near: hits.near, memory: hits.memory, disk: hits.disk }, { result: "hit" }),
      { labels: { result: "miss", tier: "none" }, value: misses },
    ],
  },
  counter("expired.lookups", "{lookup}", "Lookups that found an expired entry.", (stats) =>
    one(stats.expiredHits),
  ),
  counter("stale.served", "{value}", "Expired values served within staleFor.", (stats) =>
    one(stats.staleServed),
  ),
  {
    name: "hit.duration",
    kind: "histogram",
    unit: "s",
    help: "Time of a hit: a sample of those in memory, all of those read from disk.",
    labels: ["tier"],
    fromNs: 100,
    toNs: 1e9,
    read: ({ histograms: { near, memory, disk } }) => [
      { labels: { tier: "near" }, histogram: near },
      { labels: { tier: "memory" }, histogram: memory },
      { labels: { tier: "disk" }, histogram: disk },
    ],
  },
];

const loads: readonly Metric[] = [
  counter("loads", "{load}", "Loaders run.", (stats) => one(stats.loads)),
  counter("load.errors", "{load}", "Loaders that threw, timed out or were aborted.", (stats) =>
    one(stats.loadErrors),
  ),
  {
    name: "load.duration",
    kind: "histogram",
    unit: "s",
    help: "Time of a loader, from its call to its end.",
    labels: [],
    fromNs: 10_000,
    toNs: 1e10,
    read: ({ histograms }) => [{ labels: {}, histogram: histograms.load }],
  },
  counter(
    "load.coalesced",
    "{fetch}",
    "Fetches that waited for another fetch's loader, in any thread.",
    (stats) => one(stats.coalescedLoads),
  ),
  counter(
    "load.coalesced_across",
    "{fetch}",
    "Fetches that waited for a loader in another thread.",
    ({ flights }) => one(flights.coalescedAcross),
  ),
  counter(
    "load.takeovers",
    "{load}",
    "Loads begun after the thread that led the load was lost.",
    ({ flights }) => one(flights.takeovers),
  ),
  counter(
    "load.lease_expiries",
    "{load}",
    "Loads that lost their lease: their thread's event loop was blocked while others waited.",
    ({ flights }) => one(flights.leaseExpiries),
  ),
  counter(
    "load.alone",
    "{load}",
    "Loads that other threads could not join, by reason.",
    ({ flights }) => each("reason", { ...flights.alone }),
    ["reason"],
  ),
  counter(
    "fill.superseded",
    "{fill}",
    "Loads and asynchronous sets not stored because a newer write came first.",
    (stats) => one(stats.fillsSuperseded),
  ),
  counter(
    "fill.refused",
    "{fill}",
    "Loads not stored, and asynchronous sets stored at once: the flight table was full.",
    (stats) => one(stats.fillsRefused),
  ),
];

const writes: readonly Metric[] = [
  counter(
    "sets",
    "{set}",
    "Sets, by outcome.",
    ({ sets }) =>
      each("outcome", {
        stored: sets.stored,
        "too-large": sets.tooLarge,
        overloaded: sets.overloaded,
      }),
    ["outcome"],
  ),
  counter("set.io", "By", "Bytes of the records that sets stored.", ({ sets }) => one(sets.bytes)),
  counter("deletes", "{entry}", "Entries removed by delete.", (stats) => one(stats.deletes)),
  counter("clears", "{clear}", "Calls of clear.", (stats) => one(stats.clears)),
  counter("tag.invalidations", "{tag}", "Tags invalidated by deleteByTag.", (stats) =>
    one(stats.tagInvalidations),
  ),
];

const removals: readonly Metric[] = [
  counter(
    "evictions",
    "{entry}",
    "Entries evicted, by what had no room for them.",
    ({ evictions }) => each("cause", { ...evictions }),
    ["cause"],
  ),
  counter("expirations", "{entry}", "Expired entries removed.", (stats) => one(stats.expirations)),
  counter("near.evictions", "{value}", "Values dropped from a near cache for room.", ({ near }) =>
    one(near.evictions),
  ),
  counter(
    "moves",
    "{entry}",
    "Entries moved within memory, within the disk or between the two.",
    ({ moves }) =>
      each("move", {
        "to-main": moves.toMain,
        demotion: moves.demotions,
        promotion: moves.promotions,
        reinsertion: moves.reinsertions,
      }),
    ["move"],
  ),
  counter(
    "foreground_reclaims",
    "{reclaim}",
    "Times that a writer found no free segment and reclaimed one itself.",
    (stats) => one(stats.foregroundReclaims),
  ),
  counter(
    "segment.emptied",
    "{segment}",
    "Segments reclaimed: evicted or compacted in memory, reclaimed on disk.",
    ({ segments }) =>
      each("how", {
        evicted: segments.evicted,
        compacted: segments.compacted,
        "disk-reclaimed": segments.diskReclaimed,
      }),
    ["how"],
  ),
  counter("segment.sealed", "{segment}", "Memory segments filled and sealed.", ({ segments }) =>
    one(segments.sealed),
  ),
  counter("tuning.samples", "{request}", "Sampled requests used by eviction auto.", ({ tuning }) =>
    one(tuning.samples),
  ),
  counter(
    "tuning.dropped",
    "{request}",
    "Sampled requests that eviction auto could not use.",
    ({ tuning }) => one(tuning.dropped),
  ),
  counter("tuning.changes", "{change}", "Changes of the setting by eviction auto.", ({ tuning }) =>
    one(tuning.changes),
  ),
];

const memory: readonly Metric[] = [
  {
    name: "entry.count",
    plural: "entries",
    kind: "level",
    unit: "{entry}",
    help: "Live entries: in memory, and on disk only.",
    labels: ["tier"],
    read: (stats) => [
      ...each("tier", { memory: stats.memory.entries }),
      ...onDisk(stats, ({ entries }) => each("tier", { disk: entries })),
    ],
  },
  level("memory.usage", "By", "Memory segments in use, with index and tables.", (stats) =>
    one(stats.memory.usedBytes),
  ),
  level("memory.limit", "By", "The memory option: all that the cache may use.", (stats) =>
    one(stats.memory.limitBytes),
  ),
  level("memory.live", "By", "Records of live entries in memory.", (stats) =>
    one(stats.memory.bytes),
  ),
  level("memory.index", "By", "The index.", (stats) => one(stats.memory.indexBytes)),
  {
    name: "memory.segment.count",
    plural: "memory.segments",
    kind: "level",
    unit: "{segment}",
    help: "Memory segments, by state.",
    labels: ["state"],
    read: ({ segments: { free, total } }) => each("state", { free, used: total - free }),
  },
  {
    name: "near.value.count",
    plural: "near.values",
    kind: "level",
    unit: "{value}",
    help: "Values in the near cache of the thread that exports.",
    labels: ["thread"],
    read: ({ near }) => inThread(near.entries),
  },
  level(
    "near.usage",
    "By",
    "Bytes of the near cache of the thread that exports, as stored.",
    ({ near }) => inThread(near.bytes),
    ["thread"],
  ),
  {
    name: "thread.count",
    plural: "threads",
    kind: "level",
    unit: "{thread}",
    help: "Thread ids taken: by the opener, its workers and attached threads.",
    labels: [],
    read: ({ threads }) => one(threads.attached),
  },
];

const disk: readonly Metric[] = [
  {
    name: "disk.up",
    kind: "gauge",
    unit: "1",
    help: "1 while the disk tier works, 0 while the cache goes on without it.",
    labels: [],
    read: (stats) => onDisk(stats, ({ state }) => one(state === "up" ? 1 : 0)),
  },
  level("disk.usage", "By", "Bytes written in segment files that are not free.", (stats) =>
    onDisk(stats, ({ bytes }) => one(bytes)),
  ),
  level("disk.limit", "By", "The disk.capacity option.", (stats) =>
    onDisk(stats, ({ limitBytes }) => one(limitBytes)),
  ),
  {
    name: "disk.segment.count",
    plural: "disk.segments",
    kind: "level",
    unit: "{segment}",
    help: "Segment files that are not free.",
    labels: [],
    read: (stats) => onDisk(stats, ({ segments }) => one(segments)),
  },
  counter(
    "disk.operations",
    "{operation}",
    "Reads and batches written.",
    (stats) =>
      onDisk(stats, ({ reads: read, writes: write }) => each("direction", { read, write })),
    ["direction"],
  ),
  counter(
    "disk.io",
    "By",
    "Bytes read and written.",
    (stats) =>
      onDisk(stats, ({ readBytes: read, writeBytes: write }) => each("direction", { read, write })),
    ["direction"],
  ),
  counter("disk.tombstones", "{record}", "Tombstones written.", (stats) =>
    onDisk(stats, ({ tombstones }) => one(tombstones)),
  ),
  counter("disk.flushed", "{record}", "Records written to disk.", ({ admissions }) =>
    one(admissions.flushed),
  ),
  counter("disk.flush.io", "By", "Bytes of the records written to disk.", ({ admissions }) =>
    one(admissions.flushedBytes),
  ),
  counter(
    "disk.refused",
    "{record}",
    "Records not written to disk, by reason; one that is considered twice may count twice.",
    ({ admissions }) =>
      each("reason", {
        expired: admissions.refusedExpired,
        dead: admissions.refusedDead,
        "disk-down": admissions.refusedDiskDown,
        clean: admissions.refusedClean,
        filter: admissions.refusedFilter,
        size: admissions.refusedSize,
        unseen: admissions.refusedUnseen,
        budget: admissions.refusedBudget,
        queue: admissions.refusedQueue,
      }),
    ["reason"],
  ),
];

const troubles: readonly Metric[] = [
  counter("disk.errors", "{error}", "Failed reads and writes.", (stats) => one(stats.diskErrors)),
  counter(
    "disk.corrupt",
    "{record}",
    "Disk records that failed their checksum; each was a miss.",
    (stats) => one(stats.corruptRecords),
  ),
  counter("disk.false_fingerprints", "{read}", "Disk reads that found another key.", (stats) =>
    one(stats.falseFingerprints),
  ),
  counter("disk.stale_reads", "{read}", "Disk reads whose entry changed meanwhile.", (stats) =>
    one(stats.staleReads),
  ),
  counter("read.retries", "{read}", "Reads of a slot that changed under the reader.", (stats) =>
    one(stats.readRetries),
  ),
  counter(
    "read.given_up",
    "{read}",
    "Reads given up as misses because their slot kept changing.",
    (stats) => one(stats.readRetriesExceeded),
  ),
  counter("lock.waits", "{wait}", "Waits for a bucket lock beyond the spin.", ({ locks }) =>
    one(locks.waits),
  ),
  counter("lock.timeouts", "{wait}", "Bucket locks not acquired in time.", ({ locks }) =>
    one(locks.timeouts),
  ),
  counter("encode.tasks", "{task}", "Asynchronous sets handed to a worker.", (stats) =>
    one(stats.encodeTasks),
  ),
  counter("worker.restarts", "{worker}", "Workers that died and were replaced.", (stats) =>
    one(stats.workerRestarts),
  ),
  counter(
    "thread.recovered",
    "{thread}",
    "Threads that died without detaching and were recovered.",
    ({ threads }) => one(threads.recovered),
  ),
  counter("event.dropped", "{event}", "Events dropped: listeners fell behind.", (stats) =>
    one(stats.eventsDropped),
  ),
];

export const cacheMetrics: readonly Metric[] = [
  ...reads,
  ...loads,
  ...writes,
  ...removals,
  ...memory,
  ...disk,
  ...troubles,
];

/** No samples for a cache in memory only. */
function onDisk(
  { disk: tier }: CacheStats,
  read: (tier: NonNullable<CacheStats["disk"]>) => readonly Sample[],
): readonly Sample[] {
  return tier === null ? [] : read(tier);
}

/** A thread sees its own near cache only, so the sample says whose it is: 0 is the main thread. */
function inThread(value: number): readonly Sample[] {
  return [{ labels: { thread: String(threadId) }, value }];
}
