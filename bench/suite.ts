// What a suite is. Each case of it runs in a process of its own (bench/case.ts), so that the heap one case leaves behind
// does not slow the next. Called by main.ts, case.ts and every suite.

/** A row of a suite's table: the same keys in every row, in the order of the columns. */
export type Row = Record<string, number | string>;

export interface Suite {
  readonly name: string;
  /** What is measured and how, in a sentence or two; printed over the table and kept with the results. */
  readonly about: string;
  readonly cases: readonly string[];
  run(caseName: string): Promise<Row[]>;
}

/** Rows of timings: one row per contestant, with the ratios of its best and its median round to those of the first. A best round
 *  is luck in part: it comes to who runs behind itself, with all it needs in the processor's caches. */
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
