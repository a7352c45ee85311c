// The metrics of a process that shares its directory with others. Called by the exporters.
import type { CacheStats } from "../stats/mod.js";
import { by, counter, countOf, type Metric } from "./metric.js";

export const processMetrics: readonly Metric[] = [
  countOf(
    "processes.guests",
    "processes.guests",
    "{process}",
    "Other processes that are attached to this one.",
    (stats) => sharing(stats, ({ guests }) => [guests]),
  ),
  counter(
    "processes.requests",
    "{request}",
    "Requests to the process that has the directory.",
    (stats) => sharing(stats, ({ requests }) => [requests]),
  ),
  counter(
    "processes.failures",
    "{request}",
    "Those that failed, or were not answered in time.",
    (stats) => sharing(stats, ({ failures }) => [failures]),
  ),
  counter("processes.request_time", "{ms}", "Time that answered requests took.", (stats) =>
    sharing(stats, ({ requestMs }) => [requestMs]),
  ),
  counter(
    "processes.ended",
    "{change}",
    "What other processes set, deleted or invalidated.",
    (stats) => sharing(stats, ({ ended }) => [ended]),
  ),
  counter("processes.attached", "{time}", "Times that this process was attached.", (stats) =>
    sharing(stats, ({ attached }) => [attached]),
  ),
  counter(
    "processes.disconnects",
    "{process}",
    "Processes that were cut off since they did not follow, and connections refused.",
    (stats) => sharing(stats, ({ cutOff, refused }) => [cutOff, refused]),
    by("cause", ["cut_off", "refused"]),
  ),
];

/** Nothing for a cache that shares no directory. */
function sharing(
  { processes }: CacheStats,
  read: (processes: NonNullable<CacheStats["processes"]>) => readonly number[],
): readonly number[] {
  return processes === null ? [] : read(processes);
}
