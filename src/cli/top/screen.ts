// The display of `undercroft top`: lines of text from a sample and what happened before it. Pure.
// Invariant: what the cache says of itself (names, keys) cannot command the terminal.
import type { Sample } from "../../operators/mod.js";
import type { CacheStats, Percentiles } from "../../stats/mod.js";
import { bar, bytes, count, duration, nanoseconds, percent, printable } from "./quantity-words.js";
import { type Activity, type History, windowSeconds } from "./windows.js";

const labelWidth = 22;
const cellWidth = 12;
/** Namespaces shown, those with most bytes. */
const namespacesShown = 12;

type Cells = readonly (Activity | undefined)[];

/** The whole display. `history` has the sample as its newest. */
export function screenOf(sample: Sample, history: History): string[] {
  const seconds = [...windowSeconds, Infinity];
  // A window that is not longer than the one before it yet has nothing to add.
  const cells = seconds.map((window, index) => {
    const activity = history.within(window);
    const shorter = windowSeconds[index - 1] ?? 0;
    const isOwn = window === Infinity || (activity?.seconds ?? 0) > shorter * 1.5;
    return isOwn ? activity : undefined;
  });
  return [
    headOf(sample),
    "",
    row("", [...windowSeconds.map((window) => `${window} s`), "since open"]),
    ...activityRows(cells),
    "",
    ...latencyRows(cells),
    "",
    ...stateRows(sample.stats),
    "",
    ...namespaceRows(sample.stats, history),
    ...keyRows(sample),
  ];
}

function headOf({ name, pid, openMs, node, path }: Sample): string {
  const where = path === null ? "memory only" : printable(path);
  const told = [printable(name), `pid ${pid}`, `open ${duration(openMs)}`, printable(node), where];
  return told.join(" · ");
}

function row(label: string, cells: readonly string[]): string {
  const right = cells.map((cell) => cell.padStart(cellWidth)).join("");
  return (label.padEnd(labelWidth) + right).trimEnd();
}

function activityRows(cells: Cells): string[] {
  const each = (label: string, show: (activity: Activity) => string): string =>
    row(
      label,
      cells.map((activity) => (activity === undefined ? "" : show(activity))),
    );
  const rate = (label: string, read: (activity: Activity) => number): string =>
    each(label, (activity) => count(read(activity) / activity.seconds));
  const part = (label: string, read: (activity: Activity) => number): string =>
    each(label, (activity) =>
      percent(activity.requests > 0 ? read(activity) / activity.requests : null),
    );
  const byteRate = (label: string, read: (activity: Activity) => number): string =>
    each(label, (activity) => bytes(read(activity) / activity.seconds));
  return [
    each("hit ratio", ({ hitRatio }) => percent(hitRatio)),
    part("  near", ({ hits }) => hits.near),
    part("  memory", ({ hits }) => hits.memory),
    part("  disk", ({ hits }) => hits.disk),
    rate("requests/s", ({ requests }) => requests),
    rate("loads/s", ({ loads }) => loads),
    rate("  failed", ({ loadErrors }) => loadErrors),
    rate("  waited for others", ({ coalescedLoads }) => coalescedLoads),
    rate("sets/s", ({ sets }) => sets),
    rate("  refused", ({ refused }) => refused),
    rate("deletes/s", ({ deletes }) => deletes),
    rate("evictions/s: memory", ({ evictions }) => evictions.memory),
    rate("  disk", ({ evictions }) => evictions.disk),
    rate("  index", ({ evictions }) => evictions.index),
    rate("expirations/s", ({ expirations }) => expirations),
    byteRate("disk read/s", ({ diskReadBytes }) => diskReadBytes),
    byteRate("disk written/s", ({ diskWriteBytes }) => diskWriteBytes),
  ];
}

function latencyRows(cells: Cells): string[] {
  const kinds = ["near", "memory", "disk", "load"] as const;
  const show = (latency: Percentiles | null | undefined, name: "p50" | "p99"): string =>
    latency ? nanoseconds(latency[name]) : "";
  return kinds.flatMap((kind) =>
    (["p50", "p99"] as const).map((name) =>
      row(
        name === "p50" ? `${kind === "load" ? "load" : `${kind} hit`} p50` : "  p99",
        cells.map((activity) => show(activity?.latency[kind], name)),
      ),
    ),
  );
}

function stateRows({ memory, disk, near, tags, threads, segments, ...more }: CacheStats): string[] {
  const label = (text: string): string => text.padEnd(10);
  const lines = [
    `${label("memory")}${bar(memory.usedBytes, memory.limitBytes)} ${bytes(memory.usedBytes)} of ` +
      `${bytes(memory.limitBytes)}, ${count(memory.entries)} entries in ${bytes(memory.bytes)}, ` +
      `${segments.free} of ${segments.total} segments free`,
  ];
  if (disk !== null) {
    lines.push(
      `${label("disk")}${bar(disk.bytes, disk.limitBytes)} ${disk.state}, ` +
        `${bytes(disk.bytes)} of ${bytes(disk.limitBytes)}, ${count(disk.entries)} entries on ` +
        `disk only, ${disk.segments} files; ${more.diskErrors} errors, ` +
        `${more.corruptRecords} damaged`,
    );
  }
  lines.push(
    `${label("tags")}${bar(tags.tracked, tags.capacity)} ${count(tags.tracked)} of ` +
      `${count(tags.capacity)} remembered; ${count(tags.sweeps)} sweeps, ${tags.waits} waits, ` +
      `${tags.overflows} overflows`,
    `${label("threads")}${bar(threads.attached, 64)} ${threads.attached} of 64 attached; ` +
      `${threads.recovered} recovered, ${more.workerRestarts} workers replaced`,
    `${label("near")}${bar(near.bytes, near.limitBytes)} ${bytes(near.bytes)} of ` +
      `${bytes(near.limitBytes)} in the thread that opened it, ${count(near.entries)} values`,
  );
  if (more.tiers !== null) {
    const { pending, down, errors, dropped } = more.tiers;
    lines.push(
      `${label("tiers")}${pending} changes pending, ${down} down; ${errors} errors, ` +
        `${dropped} dropped`,
    );
  }
  return lines;
}

function namespaceRows({ namespaces }: CacheStats, history: History): string[] {
  const all = namespaces.toSorted((left, right) => right.memory.bytes - left.memory.bytes);
  const shown = all.slice(0, namespacesShown).map(({ name, memory }) => {
    const { bytes: used, entries, shareBytes } = memory;
    const recent = history.spaceWithin(name, 60);
    return row(cut(name === "" ? "(the cache's own)" : name), [
      bytes(used),
      shareBytes === 0 ? "–" : bytes(shareBytes),
      count(entries),
      recent === undefined ? "" : percent(recent.hitRatio),
      recent === undefined ? "" : count(recent.requests),
    ]);
  });
  const left = all.length - shown.length;
  return [
    row("namespace", ["bytes", "share", "entries", "hits 60 s", "asked 60 s"]),
    ...shown,
    ...(left > 0 ? [`and ${left} more`] : []),
  ];
}

function cut(name: string): string {
  const text = printable(name);
  return text.length < labelWidth ? text : `${text.slice(0, labelWidth - 2)}…`;
}

function keyRows({ keys, keySamples }: Sample): string[] {
  if (keys.length === 0) return [];
  const lines = keys.map(({ hash, namespace, samples, key }) => {
    const where = namespace === "" ? "" : ` in ${printable(namespace)}`;
    const part = percent(samples / keySamples).padStart(8);
    return `${part}  ${key === undefined ? `#${hash}` : printable(key)}${where}`;
  });
  return ["", `hottest keys, of ${keySamples} sampled requests of the last minute`, ...lines];
}
