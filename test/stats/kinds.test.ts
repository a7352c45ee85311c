// Each number of `stats()` says in its docstring whether it is a counter or a gauge, and `since`
// treats it so; docs/statistics.md lists them all, in the docstrings' words.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";
import {
  bucketOf,
  type CacheStats,
  latencyBucketCount,
  makeSnapshot,
} from "../../dist/src/stats/mod.js";

const file = fileURLToPath(new URL("../../src/stats/cache-stats.ts", import.meta.url));
const page = readFileSync(new URL("../../docs/statistics.md", import.meta.url), "utf8");

interface Documented {
  readonly path: string;
  readonly kind: string | undefined;
  readonly meaning: string;
}

/** The leaves of CacheStats with what their docstrings say. */
function documented(): Documented[] {
  const program = ts.createProgram([file], { strict: true, skipLibCheck: true });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const found = source?.statements.find(
    (node) => ts.isInterfaceDeclaration(node) && node.name.text === "CacheStats",
  );
  if (source === undefined || found === undefined) throw new Error("there is a type CacheStats");
  const leaves: Documented[] = [];
  const walk = (type: ts.Type, path: string): void => {
    for (const property of checker.getNonNullableType(type).getProperties()) {
      const own = checker.getNonNullableType(checker.getTypeOfSymbolAtLocation(property, found));
      const name = path === "" ? property.name : `${path}.${property.name}`;
      const text = ts.displayPartsToString(property.getDocumentationComment(checker));
      const [, kind, meaning] =
        /^(Counter|Gauge|Ratio|Percentiles|Histogram): (.*)$/s.exec(text) ?? [];
      const isGroup =
        name !== "namespaces" &&
        kind === undefined &&
        own.getProperties().length > 0 &&
        isObject(own);
      if (isGroup) walk(own, name);
      else if (name !== "since" && name !== "namespaces") {
        leaves.push({ path: name, kind, meaning: (meaning ?? text).replaceAll("\n", " ") });
      }
    }
  };
  walk(checker.getTypeAtLocation(found), "");
  return leaves;
}

function isObject(type: ts.Type): boolean {
  return (type.flags & ts.TypeFlags.Object) !== 0 || type.isIntersection();
}

const leaves = documented();

/** The snapshot of a cache in which every counter, histogram and gauge has grown to `by`. */
function snapshotAt(by: number): CacheStats {
  return makeSnapshot({
    name: "one",
    total: () => by,
    histogram: () => {
      const counts = new Float64Array(latencyBucketCount);
      counts[bucketOf(1000)] = by;
      return { counts, sumNs: by * 1000 };
    },
    gauges: {
      memory: {
        entries: by,
        negatives: by,
        bytes: by,
        limitBytes: by,
        indexBytes: by,
        usedBytes: by,
      },
      disk: { entries: by, bytes: by, limitBytes: by, state: "up", segments: by },
      tiers: {
        hits: by,
        misses: by,
        errors: by,
        written: by,
        dropped: by,
        corrupt: by,
        refused: by,
        ended: by,
        leased: by,
        waited: by,
        pending: by,
        down: by,
      },
      processes: {
        role: "owner",
        guests: by,
        requests: by,
        failures: by,
        requestMs: by,
        ended: by,
        attached: by,
        cutOff: by,
        refused: by,
      },
      near: { entries: by, bytes: by, limitEntries: by, limitBytes: by, heapBytes: by },
      tags: { tracked: by, capacity: by },
      segments: { free: by, total: by },
      threads: { attached: by },
    },
  });
}

function at(stats: unknown, path: string): unknown {
  return path.split(".").reduce((value, name) => (value as Record<string, unknown>)[name], stats);
}

test("every number that stats() has is documented, and the other way round", () => {
  const paths = (value: unknown, path: string): string[] =>
    typeof value === "object" && value !== null && !/^(?:latency|histograms)\./.test(path)
      ? Object.entries(value).flatMap(([name, inner]) =>
          paths(inner, path === "" ? name : `${path}.${name}`),
        )
      : [path];
  // What namespaces have is a part of the same numbers (test/cache/namespaces.test.ts).
  const { namespaces, ...whole } = snapshotAt(1);
  expect(namespaces).toHaveLength(1);
  expect(leaves.map(({ path }) => path).toSorted()).toEqual(paths(whole, "").toSorted());
  const unsaid = leaves.filter(({ kind }) => kind === undefined).map(({ path }) => path);
  expect(unsaid).toEqual(["name", "disk.state", "processes.role"]);
});

test("counters are differences in since(), gauges are values now", () => {
  const [before, after] = [snapshotAt(100), snapshotAt(300)];
  const between = after.since(before);
  const [gauges, counters] = ["Gauge", "Counter"].map((kind) =>
    leaves.filter((leaf) => leaf.kind === kind).map(({ path }) => path),
  ) as [string[], string[]];
  expect([gauges.length, counters.length].every((count) => count > 10)).toBe(true);
  for (const path of gauges) expect([path, at(between, path)]).toEqual([path, 300]);
  for (const path of counters) {
    // hits.total and requests are sums of counters.
    const each = path === "hits.total" ? 3 : path === "requests" ? 4 : 1;
    expect([path, at(after, path)]).toEqual([path, 300 * each]);
    expect([path, at(between, path)]).toEqual([path, 200 * each]);
  }
});

test("histograms are those of the interval in since()", () => {
  const before = snapshotAt(100);
  const { histograms } = snapshotAt(300).since(before);
  const paths = leaves.filter(({ kind }) => kind === "Histogram").map(({ path }) => path);
  expect(paths).toEqual(Object.keys(histograms).map((name) => `histograms.${name}`));
  for (const { count, sumNs, counts } of Object.values(histograms)) {
    expect([count, sumNs, counts[bucketOf(1000)]]).toEqual([200, 200_000, 200]);
  }
});

test("docs/statistics.md has each of them, with its kind and meaning", () => {
  const cells = page.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  for (const { path, kind, meaning } of leaves) {
    if (kind === undefined) continue;
    const row = cells.find(([, name]) => name === `\`${path}\``);
    expect([path, row?.[2], row?.[3]]).toEqual([path, kind.toLowerCase(), meaning]);
  }
});
