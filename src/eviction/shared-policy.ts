// The eviction policy of a cache, over state in its shared memory. Every thread that evicts (the
// janitor, and writers that find no free segment) uses the same state. Called by the opener, the
// janitor and attachThread. The state has no lock: whoever evicts writes whole words, a lost write
// loses one remembered key or one step of a clock, and every bit pattern is valid
// (policy/log-policy.ts). So neither a race nor a thread's death does harm.
import type { EvictionConfig } from "../config/mod.js";
import type { Geometry, Kernel } from "../kernel/mod.js";
import { LogPolicy, type PolicyName, policyStateBytes, settingOf } from "../policy/mod.js";

/** Mean entry size for which the policy's history is sized, in bytes. */
const rememberedEntryBytes = 512;

/** Bytes of memory that the policy needs: about 1/32 of the cache if the policy remembers keys
 *  that left. */
export function policyBytesFor(name: PolicyName, memoryBytes: number): number {
  const { keep, ghostTurnovers } = settingOf(name);
  const remembers = keep === "compete" || ghostTurnovers > 0;
  return policyStateBytes(remembers ? memoryBytes / rememberedEntryBytes : 0);
}

/** The part of a geometry that eviction works with, of the segments that are to be in use. */
export type UsedGeometry = Pick<Geometry, "segmentCount" | "segmentBytes" | "reserveSegments">;

export function usedGeometryOf({ geometry, control }: Kernel): UsedGeometry {
  const { segmentBytes, reserveSegments } = geometry;
  return { segmentCount: control.segmentsWanted(), segmentBytes, reserveSegments };
}

/** Free segments that the janitor keeps, including the reserve to which eviction moves records. */
export function watermarkOf(geometry: UsedGeometry): number {
  return geometry.reserveSegments + Math.max(2, geometry.segmentCount >>> 5);
}

/** The capacity that the policy assumes: all segments except those kept free. */
export function policyCapacityOf(geometry: UsedGeometry): number {
  return (geometry.segmentCount - watermarkOf(geometry)) * geometry.segmentBytes;
}

/** The policy, over the shared state of the cache. */
export function policyOver(kernel: Kernel): LogPolicy {
  return new LogPolicy({
    capacity: policyCapacityOf(usedGeometryOf(kernel)),
    ...kernel.policyRoom,
  });
}

/** Sets the policy. The opener calls it once, before any thread evicts. */
export function setPolicy(kernel: Kernel, { policy, worth }: EvictionConfig): void {
  const shared = policyOver(kernel);
  shared.setWorth(worth);
  shared.adopt(settingOf(policy, worth));
}
