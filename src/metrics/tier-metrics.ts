// The metrics of where entries are: removals and moves, memory, the disk, and what went wrong.
// Listed by cache-metrics.ts.
import { threadId } from "node:worker_threads";
import type { CacheStats } from "../stats/mod.js";
import { by, counter, countOf, level, type Metric, none } from "./metric.js";

const removals: readonly Metric[] = [
  counter(
    "evictions",
    "{entry}",
    "Entries evicted, by what had no room for them.",
    ({ evictions }) => [evictions.memory, evictions.disk, evictions.index],
    by("cause", ["memory", "disk", "index"]),
  ),
  counter("near.evictions", "{value}", "Values dropped from a near cache for room.", ({ near }) => [
    near.evictions,
  ]),
  counter(
    "moves",
    "{entry}",
    "Entries moved within memory, within the disk or between the two.",
    ({ moves }) => [
      moves.toMain,
      moves.demotions,
      moves.promotions,
      moves.reinsertions,
      moves.preloads,
    ],
    by("move", ["to-main", "demotion", "promotion", "reinsertion", "preload"]),
  ),
  counter(
    "foreground_reclaims",
    "{reclaim}",
    "Times that a writer found no free segment and reclaimed one itself.",
    (stats) => [stats.foregroundReclaims],
  ),
  counter(
    "segment.emptied",
    "{segment}",
    "Segments reclaimed: evicted or compacted in memory, reclaimed on disk.",
    ({ segments }) => [segments.evicted, segments.compacted, segments.diskReclaimed],
    by("how", ["evicted", "compacted", "disk-reclaimed"]),
  ),
  counter("segment.sealed", "{segment}", "Memory segments filled and sealed.", ({ segments }) => [
    segments.sealed,
  ]),
  counter(
    "tuning.samples",
    "{request}",
    "Sampled requests used by eviction auto.",
    ({ tuning }) => [tuning.samples],
  ),
  counter(
    "tuning.dropped",
    "{request}",
    "Sampled requests that eviction auto could not use.",
    ({ tuning }) => [tuning.dropped],
  ),
  counter(
    "tuning.changes",
    "{change}",
    "Changes of the setting by eviction auto.",
    ({ tuning }) => [tuning.changes],
  ),
];

/** A thread sees its own near cache only, so the label says whose it is: 0 is the main thread. */
const thisThread = by("thread", [String(threadId)]);

const memory: readonly Metric[] = [
  countOf(
    "entry",
    "entries",
    "{entry}",
    "Live entries: in memory, and on disk only.",
    (stats) => [stats.memory.entries, ...onDisk(stats, ({ entries }) => [entries])],
    by("tier", ["memory", "disk"]),
  ),
  countOf(
    "negative.answer",
    "negative.answers",
    "{answer}",
    "Negative answers remembered; they are no entries.",
    ({ memory: { negatives } }) => [negatives],
  ),
  level("memory.usage", "By", "Memory segments in use, with index and tables.", (stats) => [
    stats.memory.usedBytes,
  ]),
  level("memory.limit", "By", "The memory option: all that the cache may use.", (stats) => [
    stats.memory.limitBytes,
  ]),
  level("memory.live", "By", "Records of live entries in memory.", (stats) => [stats.memory.bytes]),
  level("memory.index", "By", "The index.", (stats) => [stats.memory.indexBytes]),
  countOf(
    "memory.segment",
    "memory.segments",
    "{segment}",
    "Memory segments, by state.",
    ({ segments: { free, total } }) => [free, total - free],
    by("state", ["free", "used"]),
  ),
  countOf(
    "near.value",
    "near.values",
    "{value}",
    "Values in the near cache of the thread that exports.",
    ({ near }) => [near.entries],
    thisThread,
  ),
  level(
    "near.usage",
    "By",
    "Bytes of the near cache of the thread that exports, as stored.",
    ({ near }) => [near.bytes],
    thisThread,
  ),
  countOf(
    "near.value.limit",
    "near.values_limit",
    "{value}",
    "The most values in the near cache of the thread that exports.",
    ({ near }) => [near.limitEntries],
    thisThread,
  ),
  level(
    "near.limit",
    "By",
    "The most bytes of the near cache of the thread that exports, as stored.",
    ({ near }) => [near.limitBytes],
    thisThread,
  ),
  level(
    "near.heap",
    "By",
    "About the heap of the near cache of the thread that exports.",
    ({ near }) => [near.heapBytes],
    thisThread,
  ),
  countOf(
    "thread",
    "threads",
    "{thread}",
    "Thread ids taken, by the opener and attached threads.",
    ({ threads }) => [threads.attached],
  ),
];

const disk: readonly Metric[] = [
  {
    name: "disk.up",
    kind: "gauge",
    unit: "1",
    help: "1 while the disk tier works, 0 while the cache goes on without it.",
    labels: none,
    read: (stats) => onDisk(stats, ({ state }) => [state === "up" ? 1 : 0]),
  },
  level("disk.usage", "By", "Bytes written in segment files that are not free.", (stats) =>
    onDisk(stats, ({ bytes }) => [bytes]),
  ),
  level("disk.limit", "By", "The disk.capacity option.", (stats) =>
    onDisk(stats, ({ limitBytes }) => [limitBytes]),
  ),
  countOf("disk.segment", "disk.segments", "{segment}", "Segment files in use.", (stats) =>
    onDisk(stats, ({ segments }) => [segments]),
  ),
  counter(
    "disk.operations",
    "{operation}",
    "Reads and batches written.",
    (stats) => onDisk(stats, (tier) => [tier.reads, tier.writes]),
    by("direction", ["read", "write"]),
  ),
  counter(
    "disk.io",
    "By",
    "Bytes read and written.",
    (stats) => onDisk(stats, (tier) => [tier.readBytes, tier.writeBytes]),
    by("direction", ["read", "write"]),
  ),
  counter("disk.tombstones", "{record}", "Tombstones written.", (stats) =>
    onDisk(stats, ({ tombstones }) => [tombstones]),
  ),
  counter("disk.preload.io", "By", "Bytes of records brought to memory after open.", (stats) =>
    onDisk(stats, ({ preloadedBytes }) => [preloadedBytes]),
  ),
  counter("disk.flushed", "{record}", "Records written to disk.", ({ admissions }) => [
    admissions.flushed,
  ]),
  counter("disk.flush.io", "By", "Bytes of the records written to disk.", ({ admissions }) => [
    admissions.flushedBytes,
  ]),
  counter(
    "disk.refused",
    "{record}",
    "Records not written to disk, by reason; one that is considered twice may count twice.",
    ({ admissions }) => [
      admissions.refusedExpired,
      admissions.refusedDead,
      admissions.refusedDiskDown,
      admissions.refusedClean,
      admissions.refusedFilter,
      admissions.refusedSize,
      admissions.refusedUnseen,
      admissions.refusedBudget,
      admissions.refusedQueue,
    ],
    by("reason", [
      "expired",
      "dead",
      "disk-down",
      "clean",
      "filter",
      "size",
      "unseen",
      "budget",
      "queue",
    ]),
  ),
];

const outer: readonly Metric[] = [
  counter(
    "tiers.lookups",
    "{key}",
    "Keys that the tiers behind the disk were asked for, by whether they had them.",
    (stats) => outside(stats, ({ hits, misses }) => [hits, misses]),
    by("outcome", ["hit", "miss"]),
  ),
  counter(
    "tiers.changes",
    "{change}",
    "Changes for the tiers: made, or dropped for want of room.",
    (stats) => outside(stats, ({ written, dropped }) => [written, dropped]),
    by("outcome", ["made", "dropped"]),
  ),
  counter("tiers.errors", "{error}", "Calls of a tier that failed or took too long.", (stats) =>
    outside(stats, ({ errors }) => [errors]),
  ),
  counter("tiers.corrupt", "{entry}", "Entries of a tier that were damaged.", (stats) =>
    outside(stats, ({ corrupt }) => [corrupt]),
  ),
  counter(
    "tiers.refused",
    "{key}",
    "Keys that a tier was not asked for, since it was asked for too many.",
    (stats) => outside(stats, ({ refused }) => [refused]),
  ),
  counter("tiers.ended", "{change}", "Changes by others that ended entries here.", (stats) =>
    outside(stats, ({ ended }) => [ended]),
  ),
  counter(
    "tiers.turns",
    "{load}",
    "Loads that take turns with other processes: with the lease, or while another had it.",
    (stats) => outside(stats, ({ leased, waited }) => [leased, waited]),
    by("outcome", ["leased", "waited"]),
  ),
  countOf(
    "tiers.pending",
    "tiers.pending",
    "{change}",
    "Changes that tiers have to make.",
    (stats) => outside(stats, ({ pending }) => [pending]),
  ),
  countOf("tiers.down", "tiers.down", "{tier}", "Tiers that are down.", (stats) =>
    outside(stats, ({ down }) => [down]),
  ),
];

const troubles: readonly Metric[] = [
  counter("disk.errors", "{error}", "Failed reads and writes.", (stats) => [stats.diskErrors]),
  counter(
    "disk.corrupt",
    "{record}",
    "Disk records that failed their checksum; each was a miss.",
    (stats) => [stats.corruptRecords],
  ),
  counter(
    "chunks.missing",
    "{value}",
    "Values in chunks dropped, since a chunk was missing; each was a miss.",
    (stats) => [stats.chunksMissing],
  ),
  counter("disk.false_fingerprints", "{read}", "Disk reads that found another key.", (stats) => [
    stats.falseFingerprints,
  ]),
  counter("disk.stale_reads", "{read}", "Disk reads whose entry changed meanwhile.", (stats) => [
    stats.staleReads,
  ]),
  counter("read.retries", "{read}", "Reads of a slot that changed under the reader.", (stats) => [
    stats.readRetries,
  ]),
  counter(
    "read.given_up",
    "{read}",
    "Reads given up as misses because their slot kept changing.",
    (stats) => [stats.readRetriesExceeded],
  ),
  counter("lock.waits", "{wait}", "Waits for a bucket lock beyond the spin.", ({ locks }) => [
    locks.waits,
  ]),
  counter("lock.timeouts", "{wait}", "Bucket locks not acquired in time.", ({ locks }) => [
    locks.timeouts,
  ]),
  counter("codec.errors", "{value}", "Values that a custom codec could not decode.", (stats) => [
    stats.codecErrors,
  ]),
  counter("encode.tasks", "{task}", "Asynchronous sets handed to a worker.", (stats) => [
    stats.encodeTasks,
  ]),
  counter("worker.restarts", "{worker}", "Workers that died and were replaced.", (stats) => [
    stats.workerRestarts,
  ]),
  counter(
    "thread.recovered",
    "{thread}",
    "Threads that died without detaching and were recovered.",
    ({ threads }) => [threads.recovered],
  ),
  counter("event.dropped", "{event}", "Events dropped: listeners fell behind.", (stats) => [
    stats.eventsDropped,
  ]),
];

export const tierMetrics: readonly Metric[] = [
  ...removals,
  ...memory,
  ...disk,
  ...outer,
  ...troubles,
];

/** Nothing for a cache in memory only. */
function onDisk(
  { disk: tier }: CacheStats,
  read: (tier: NonNullable<CacheStats["disk"]>) => readonly number[],
): readonly number[] {
  return tier === null ? [] : read(tier);
}

/** Nothing for a cache without tiers. */
function outside(
  { tiers }: CacheStats,
  read: (tiers: NonNullable<CacheStats["tiers"]>) => readonly number[],
): readonly number[] {
  return tiers === null ? [] : read(tiers);
}
