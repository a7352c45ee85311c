// What a suite is. Each case runs in its own process (bench/case.ts), so that the heap that one
// case leaves behind does not slow the next. Called by main.ts, case.ts and every suite.

/** A row of a suite's table: the same keys in every row, in the order of the columns. */
export type Row = Record<string, number | string>;

export interface Suite {
  readonly name: string;
  /**
   * What is measured and how, in a sentence or two; printed above the table and kept with the
   * results.
   */
  readonly about: string;
  readonly cases: readonly string[];
  /** Versions of peers that are not dependencies of this repository. */
  readonly versions?: () => Record<string, string>;
  run(caseName: string): Promise<Row[]>;
}

/**
 * One row per contestant, with the ratios of its best and its median round to those of the first
 * contestant. A best round is partly luck: a contestant is fastest when it follows itself and finds
 * the processor's caches warm.
 */
export function timingRows(
  labels: Row,
  timings: readonly { name: string; min: number; median: number; max: number }[],
): Row[] {
  const first = timings[0] ?? { min: NaN, median: NaN };
  return timings.map(({ name, min, median, max }) => ({
    ...labels,
    peer: name,
    "ns min": Math.round(min),
    "ns median": Math.round(median),
    "ns max": Math.round(max),
    "times the first, min": Number((min / first.min).toFixed(2)),
    "times the first, median": Number((median / first.median).toFixed(2)),
  }));
}
