// Fits what may come back of a directory to a memory that was made before the directory was this
// cache's. Pure; openDirectory calls it.
import type { Recovery, RecoveryPlan } from "../trust/recovery.js";

/** What a memory was made for, and where its own order of writes began. */
export interface MemoryMade {
  readonly seed: bigint;
  readonly segmentBytes: number;
  readonly segmentCount: number;
  /** Everything that the directory has is older; what has a higher sequence cannot be compared. */
  readonly sequence: number;
}

/**
 * The plan of a take-over: a directory that the memory does not fit starts empty, and an index that
 * is in use takes no snapshot, so the segments are scanned.
 */
export function fitPlan({ keep, recovery }: RecoveryPlan, made: MemoryMade): RecoveryPlan {
  if (keep === null) return { keep, recovery };
  const { fields, geometry } = keep;
  const isFitting =
    fields.seed === made.seed &&
    geometry.segmentBytes === made.segmentBytes &&
    geometry.segmentCount === made.segmentCount;
  if (!isFitting) {
    const reason = "the directory was made anew while this cache waited for it";
    return { keep: null, recovery: emptied(recovery, reason, fields.segmentCount) };
  }
  const kind = recovery.kind === "clean" ? "scan" : recovery.kind;
  const reason = `taken over from another cache: ${recovery.reason}`;
  const keepThrough = Math.min(recovery.keepThrough, made.sequence);
  return { keep, recovery: { ...recovery, kind, reason, keepThrough } };
}

function emptied(recovery: Recovery, reason: string, lostSegments: number): Recovery {
  const filter = { clearEpoch: 0, namespaceEpochs: [], keepThrough: Infinity, dropExpiring: false };
  return { ...recovery, kind: "cold", reason, lostSegments, ...filter };
}
