// Simulates 2,000 instances of a service, by events and from recorded costs: without a cache in
// common, with a shared tier whose news arrive late or not at all, and with a time to live instead
// of news. Seeded: the same numbers in each run. Prints a table, and writes
// bench/results/instances.json and docs/internals/plots/instances.svg.
//
//   node dist/bench/machines/simulate.js [instances]
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { printTable } from "../report.js";
import { plot } from "./instances-plot.js";
import { type Design, type Outcome, simulate } from "./instances.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const instances = Number(process.argv[2] ?? 2000);
const news = { kind: "news", newsMs: 2, lossShare: 0, reloadMs: 0 } as const;
const ttl = { kind: "ttl", newsMs: 0, lossShare: 0, reloadMs: 0 } as const;

/** What each design is asked, by the name of the curve that it is on. */
const cases: readonly (readonly [curve: string, at: number, design: Design])[] = [
  ...[1, 10, 60].map(
    (s) => ["alone, ttl in s", s, { ...ttl, kind: "alone", ttlMs: s * 1000 }] as const,
  ),
  ...[1, 2, 5, 10, 30].map((s) => ["tier, ttl in s", s, { ...ttl, ttlMs: s * 1000 }] as const),
  ...[2, 20, 200, 1000].map(
    (ms) => ["news after ms", ms, { ...news, newsMs: ms, ttlMs: 60_000 }] as const,
  ),
  ...[1, 5, 20, 50].map(
    (percent) =>
      ["news, cut at %", percent, { ...news, lossShare: percent / 100, ttlMs: 60_000 }] as const,
  ),
  ...[5, 15].map(
    (s) =>
      [
        "alone, replaced in s",
        s,
        { ...ttl, kind: "alone", reloadMs: s * 1000, ttlMs: 60_000 },
      ] as const,
  ),
  ...[5, 15].map(
    (s) => ["news, replaced in s", s, { ...news, reloadMs: s * 1000, ttlMs: 60_000 }] as const,
  ),
];

const results: { curve: string; at: number; outcome: Outcome }[] = [];
for (const [curve, at, design] of cases) {
  results.push({ curve, at, outcome: simulate(instances, design) });
}
const rows = results.map(({ curve, at, outcome }) => ({ curve, at, ...outcome }));
const about =
  `${instances} instances, 10,000 keys by Zipf, 5 fetches and 0.005 changes a second ` +
  "of each, for 20 s after 10 s";
printTable({ name: "instances", about, cases: [], run: async () => rows }, rows);
const command = `node dist/bench/machines/simulate.js ${instances}`;
const result = `${JSON.stringify({ suite: "instances", about, command, rows }, null, 2)}\n`;
writeFileSync(join(root, "bench/results/instances.json"), result);
writeFileSync(join(root, "docs/internals/plots/instances.svg"), plot(results));
