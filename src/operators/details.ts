// What an answer has beside the numbers of `stats()` if it is asked for: the maps of the segments,
// the threads and the policy. Bounded by mapCellsMax and the number of thread ids.

/** The most cells of a map: with more segments a cell is of several. */
export const mapCellsMax = 512;

/** One or more segments that follow each other: how many are free, being written, sealed, and
 *  anything else (claimed, blocked, withheld, quarantined), their bytes, and what lives of them. */
export type MapCell = readonly [
  free: number,
  open: number,
  sealed: number,
  other: number,
  usedBytes: number,
  liveBytes: number,
];

export interface SegmentMap {
  readonly segments: number;
  readonly segmentBytes: number;
  readonly perCell: number;
  readonly cells: readonly MapCell[];
}

/** A thread that is attached. */
export interface ThreadUse {
  readonly id: number;
  /** The `threadId` of Node.js. */
  readonly workerId: number;
  /** Whether it is a worker of the cache's own. */
  readonly isPool: boolean;
  /** Counters of the thread id, with those who had it before. */
  readonly requests: number;
  readonly hits: number;
  readonly loads: number;
  readonly sets: number;
}

export interface Details {
  readonly memory: SegmentMap;
  /** Null without a disk. What lives is at most that: what an eviction left is not counted. */
  readonly disk: SegmentMap | null;
  readonly threads: readonly ThreadUse[];
  readonly policy: {
    readonly name: string;
    readonly worth: string;
    /** The fields of the setting in force. */
    readonly setting: Readonly<Record<string, string | number>>;
  };
}

type State = "free" | "open" | "sealed" | "other";
const states: readonly State[] = ["free", "open", "sealed", "other"];

/** A segment as a map counts it. */
export interface MappedSegment {
  readonly state: State;
  readonly usedBytes: number;
  readonly liveBytes: number;
}

/** The map of `segments` segments, which `read` tells one by one. */
export function segmentMap(
  segments: number,
  segmentBytes: number,
  read: (segment: number) => MappedSegment,
): SegmentMap {
  const perCell = Math.max(1, Math.ceil(segments / mapCellsMax));
  const cells: MapCell[] = [];
  for (let first = 0; first < segments; first += perCell) {
    const cell: [number, number, number, number, number, number] = [0, 0, 0, 0, 0, 0];
    for (let segment = first; segment < Math.min(first + perCell, segments); segment++) {
      const { state, usedBytes, liveBytes } = read(segment);
      const position = states.indexOf(state) as 0 | 1 | 2 | 3;
      cell[position] += 1;
      cell[4] += usedBytes;
      cell[5] += liveBytes;
    }
    cells.push(cell);
  }
  return { segments, segmentBytes, perCell, cells };
}

export function isDetails(value: unknown): boolean {
  if (value === null) return true;
  if (typeof value !== "object") return false;
  const { memory, threads, policy } = value as Readonly<Record<string, unknown>>;
  return typeof memory === "object" && Array.isArray(threads) && typeof policy === "object";
}
