// What the example prints at its end: the lives of the service side by side, and the goals.
import type { Figures } from "./figures.js";
import { type Goal, milliseconds, percent } from "./goals.js";
import { kinds } from "./lookups.js";

const noCache = "-";
type Cell = (life: Figures) => string;
const ofCache = (cell: Cell): Cell => {
  return (life) => (life.report.recovered === "" ? noCache : cell(life));
};

const rows: readonly (readonly [string, Cell])[] = [
  ["messages a second", ({ messagesPerSecond }) => messagesPerSecond.toFixed(0)],
  ["calls for agents, a message", ({ agentCalls }) => agentCalls.toFixed(3)],
  ["remote reads, a message", ({ remoteReads }) => remoteReads.toFixed(3)],
  ["SQLite reads, a message", ({ recordReads }) => recordReads.toFixed(3)],
  ...kinds.map(
    (kind) =>
      [`at once, ${kind} (active users)`, ofCache((life) => percent(life.hitRatio[kind]))] as const,
  ),
  ["hits of all, with those on disk", ofCache(({ report }) => percent(report.hitRatio))],
  ["lookups answered at once", ofCache(({ hits }) => hits.count.toLocaleString("en-US"))],
  ["  p50", ofCache(({ hits }) => milliseconds(hits.p50))],
  ["  p99", ofCache(({ hits }) => milliseconds(hits.p99))],
  ["  p99.9", ofCache(({ hits }) => milliseconds(hits.p999))],
  ["  p99 with waits for a processor", ofCache((life) => milliseconds(life.hitsWithWaits.p99))],
  ["  p99.9 with them", ofCache((life) => milliseconds(life.hitsWithWaits.p999))],
  ["event loop late, p99", ({ loopDelayMs }) => milliseconds(loopDelayMs)],
  ["CPU, a message", ({ cpuMsPerMessage }) => milliseconds(cpuMsPerMessage)],
  ["resident memory", ({ report }) => `${(report.memoryBytes / 2 ** 20).toFixed(0)} MiB`],
  ["opened", ofCache(({ report }) => milliseconds(report.openMs))],
  ["  how", ofCache(({ report }) => report.recovered)],
  ["first hit after start", ofCache(({ report }) => firstHit(report.firstHitMs))],
  ["time to warm", ofCache(({ report }) => milliseconds(report.warmMs))],
  ["stale answers", ({ stale, answers }) => `${stale.length} of ${answers}`],
];

/** How to read the table. */
export const notes = `
  At once: getOrFetch returned the value itself, from memory, and no promise. Timed is that call
  alone, so the event loop is not in it; what the thread waited for a processor meanwhile, as Linux
  counts it, is taken off. Compilation and garbage collection are in it: at these rates most of the
  code is not compiled yet. Active users are those who are warmed; hits of all count every user.
  The history hits because each message is added to what is cached (update), and no delete is
  needed. What is stale is older than a change that had returned before the lookup began.`;

export function lifeTable(lives: readonly Figures[]): string {
  const cells = [
    ["", ...lives.map(({ name }) => name)],
    ...rows.map(([title, cell]) => [title, ...lives.map(cell)]),
  ];
  return aligned(cells, (column) => column > 0);
}

export function goalTable(goals: readonly Goal[]): string {
  const cells = goals.map(({ name, isMet, seen, isTimed }) => [
    isMet ? "met" : "MISSED",
    name,
    seen,
    isTimed ? "timed" : "",
  ]);
  return aligned(cells, () => false);
}

function firstHit(ms: number | null): string {
  return ms === null ? "none" : milliseconds(ms);
}

export function aligned(
  cells: readonly (readonly string[])[],
  isRight: (column: number) => boolean,
): string {
  const width = (column: number): number =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0));
  const pad = (text: string, column: number): string =>
    isRight(column) ? text.padStart(width(column)) : text.padEnd(width(column));
  return cells.map((row) => `  ${row.map(pad).join("  ")}`.trimEnd()).join("\n");
}
