// What the example prints: the progress line and the two tables. Called by package-cache.ts.

import type { PackageCache, PassReport } from "./package-pass.js";

const columns: readonly [string, (report: PassReport) => string][] = [
  ["pass", (report) => report.name],
  ["gets", (report) => count(report.gets)],
  ["near", (report) => count(report.near)],
  ["memory", (report) => count(report.memory)],
  ["disk", (report) => count(report.disk)],
  ["missed", (report) => count(report.misses)],
  ["p50", (report) => microseconds(report.p50)],
  ["p99", (report) => microseconds(report.p99)],
  ["p99.9", (report) => microseconds(report.p999)],
  ["wall", (report) => `${report.wallMs.toFixed(0)} ms`],
];

/** The passes as an aligned table: the first column flush left, numbers flush right. */
export function passTable(reports: readonly PassReport[]): string {
  const rows = reports.map((report) => columns.map(([, cell]) => cell(report)));
  return alignedTable([columns.map(([title]) => title), ...rows]);
}

/**
 * Bytes in use and entries by tier, each beside its limit. An entry in memory is not counted for
 * the disk.
 */
export function tierTable(stats: ReturnType<PackageCache["stats"]>): string {
  const { memory, disk } = stats;
  const rows = [
    ["tier", "entries", "in use", "limit"],
    ["memory", count(memory.entries), bytes(memory.usedBytes), bytes(memory.limitBytes)],
  ];
  if (disk !== null) {
    rows.push(["disk", `${count(disk.entries)} more`, bytes(disk.bytes), bytes(disk.limitBytes)]);
  }
  return alignedTable(rows);
}

/** A size in the largest unit that leaves it above one. */
export function bytes(size: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(size || 1) / 10)));
  return `${(size / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/**
 * Shows the progress of a pass: one line rewritten on a terminal, elsewhere a line every two
 * seconds. Between prints a call costs one comparison.
 */
export function progressLine(name: string): (done: number, total: number) => void {
  const { stdout } = process;
  const everyMs = stdout.isTTY ? 100 : 2000;
  let shownAt = performance.now();
  let shown = false;
  return (done, total) => {
    if (done % 64 !== 0 && done !== total) return;
    const finished = done === total;
    if (!finished && performance.now() - shownAt < everyMs) return;
    shownAt = performance.now();
    const line = `  ${name}: ${count(done)} of ${count(total)}`;
    if (stdout.isTTY) stdout.write(finished ? (shown ? "\r\u001b[K" : "") : `\r${line}\u001b[K`);
    else if (!finished) stdout.write(`${line}\n`);
    shown = true;
  };
}

function alignedTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  "),
  );
  lines.splice(1, 0, widths.map((width) => "─".repeat(width)).join("  "));
  return lines.join("\n");
}

function count(n: number): string {
  return n.toLocaleString("en-US");
}

function microseconds(us: number): string {
  if (us < 100) return `${us.toFixed(us < 10 ? 2 : 1)} µs`;
  return us < 10_000 ? `${us.toFixed(0)} µs` : `${(us / 1000).toFixed(1)} ms`;
}
