// The metrics that a cache has as a whole and each of its namespaces has too, then those that only
// a namespace has. A namespace's are families of their own, so that a sum over a cache's counts
// once. Listed by cache-metrics.ts. Invariant: the labels that tell namespaces apart are their
// names, at most 64 and "" for the cache's own keys.
import type { NamespaceStats } from "../stats/mod.js";
import { by, counter, countOf, level, type NumberMetric } from "./metric.js";

/** What the stats of a cache and of a namespace both have. */
type SpaceStats = Omit<NamespaceStats, "name" | "evictions" | "memory" | "disk">;

export const spaceMetrics: readonly NumberMetric<SpaceStats>[] = [
  {
    name: "requests",
    kind: "counter",
    unit: "{request}",
    help: "Requests: calls that asked for a value, by the tier that had a fresh one.",
    labels: [
      { result: "hit", tier: "near" },
      { result: "hit", tier: "memory" },
      { result: "hit", tier: "disk" },
      { result: "miss", tier: "none" },
    ],
    read: ({ hits, misses }) => [hits.near, hits.memory, hits.disk, misses],
  },
  counter("expired.lookups", "{lookup}", "Lookups that found an expired entry.", (stats) => [
    stats.expiredHits,
  ]),
  counter("stale.served", "{value}", "Expired values served within staleFor.", (stats) => [
    stats.staleServed,
  ]),
  counter(
    "negative.served",
    "{fetch}",
    "Fetches answered by a remembered negative answer; each is a miss too.",
    (stats) => [stats.negativesServed],
  ),
  counter(
    "invalid",
    "{fetch}",
    "Fetches for which isValid refused a value; each is a miss too.",
    (stats) => [stats.invalid],
  ),
  counter("loads", "{load}", "Loaders run.", (stats) => [stats.loads]),
  counter("load.errors", "{load}", "Loaders that threw, timed out or were aborted.", (stats) => [
    stats.loadErrors,
  ]),
  counter(
    "load.coalesced",
    "{fetch}",
    "Fetches that waited for another fetch's loader, in any thread.",
    (stats) => [stats.coalescedLoads],
  ),
  counter(
    "fill.superseded",
    "{fill}",
    "Loads and asynchronous sets not stored because a newer write came first.",
    (stats) => [stats.fillsSuperseded],
  ),
  counter(
    "sets",
    "{set}",
    "Sets, by outcome.",
    ({ sets }) => [sets.stored, sets.tooLarge, sets.overloaded],
    by("outcome", ["stored", "too-large", "overloaded"]),
  ),
  counter("set.io", "By", "Bytes of the records that sets stored.", ({ sets }) => [sets.bytes]),
  counter("deletes", "{entry}", "Entries removed by delete.", (stats) => [stats.deletes]),
  counter("expirations", "{entry}", "Expired entries removed.", (stats) => [stats.expirations]),
];

export const namespaceMetrics: readonly NumberMetric<NamespaceStats>[] = [
  ...spaceMetrics.map((metric) => ({
    ...metric,
    name: `namespace.${metric.name}`,
    help: `${metric.help} By namespace.`,
  })),
  counter(
    "namespace.evictions",
    "{entry}",
    "Entries evicted, by what had no room for them, but for the index. By namespace.",
    ({ evictions }) => [evictions.memory, evictions.disk],
    by("cause", ["memory", "disk"]),
  ),
  countOf(
    "namespace.entry",
    "namespace.entries",
    "{entry}",
    "Live entries in memory. By namespace.",
    ({ memory }) => [memory.entries],
    by("tier", ["memory"]),
  ),
  level(
    "namespace.memory.live",
    "By",
    "Records of live entries in memory. By namespace.",
    ({ memory }) => [memory.bytes],
  ),
  level(
    "namespace.share",
    "By",
    "What is kept for a namespace of memory and of the disk; 0 if it has no share.",
    ({ memory, disk }) => [memory.shareBytes, disk.shareBytes],
    by("tier", ["memory", "disk"]),
  ),
];
