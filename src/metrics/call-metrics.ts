// The metrics of what users ask for and namespaces do not have: times, how threads share loads, and
// writes. Listed by cache-metrics.ts.
import { by, counter, countOf, level, type Metric, none } from "./metric.js";

const times: readonly Metric[] = [
  {
    name: "hit.duration",
    kind: "histogram",
    unit: "s",
    help: "Time of a hit: a sample of those in memory, all of those read from disk.",
    labels: by("tier", ["near", "memory", "disk"]),
    fromNs: 100,
    toNs: 1e9,
    read: ({ histograms }) => [histograms.near, histograms.memory, histograms.disk],
  },
  {
    name: "load.duration",
    kind: "histogram",
    unit: "s",
    help: "Time of a loader, from its call to its end.",
    labels: none,
    fromNs: 10_000,
    toNs: 1e10,
    read: ({ histograms }) => [histograms.load],
  },
];

const loads: readonly Metric[] = [
  counter(
    "load.coalesced_across",
    "{fetch}",
    "Fetches that waited for a loader in another thread.",
    ({ flights }) => [flights.coalescedAcross],
  ),
  counter(
    "load.takeovers",
    "{load}",
    "Loads begun after the thread that led the load was lost.",
    ({ flights }) => [flights.takeovers],
  ),
  counter(
    "load.lease_expiries",
    "{load}",
    "Loads that lost their lease: their thread's event loop was blocked while others waited.",
    ({ flights }) => [flights.leaseExpiries],
  ),
  counter("load.queued", "{load}", "Loads that waited for a free flight.", ({ flights }) => [
    flights.queued,
  ]),
  counter(
    "load.cycles",
    "{fetch}",
    "Fetches of loaders refused, since they would wait for themselves.",
    ({ flights }) => [flights.cycles],
  ),
  counter(
    "load.alone",
    "{load}",
    "Loads that other threads could not join, by reason.",
    ({ flights: { alone } }) => [alone.full, alone.busy, alone.twice, alone.unstored],
    by("reason", ["full", "busy", "twice", "unstored"]),
  ),
  counter(
    "fill.refused",
    "{fill}",
    "Loads not stored, and asynchronous sets stored at once: the flight table was full.",
    (stats) => [stats.fillsRefused],
  ),
];

const writes: readonly Metric[] = [
  counter("clears", "{clear}", "Calls of clear.", (stats) => [stats.clears]),
  counter("tag.invalidations", "{tag}", "Tags invalidated by deleteByTag.", ({ tags }) => [
    tags.invalidated,
  ]),
  counter("tag.sweeps", "{sweep}", "Sweeps after which tags were forgotten.", ({ tags }) => [
    tags.sweeps,
  ]),
  counter(
    "tag.waits",
    "{wait}",
    "Invalidations that waited for a sweep to make room.",
    ({ tags }) => [tags.waits],
  ),
  counter(
    "tag.overflows",
    "{tag}",
    "Tags that got no room in time; each removed older entries of other tags too.",
    ({ tags }) => [tags.overflows],
  ),
  countOf("tag", "tags", "{tag}", "Invalidated tags that are remembered.", ({ tags }) => [
    tags.tracked,
  ]),
  level("tag.limit", "{tag}", "The most invalidated tags that can be remembered.", ({ tags }) => [
    tags.capacity,
  ]),
];

export const callMetrics: readonly Metric[] = [...times, ...loads, ...writes];
