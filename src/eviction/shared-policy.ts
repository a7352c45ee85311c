// The eviction policy of a cache, over the state that lies in its shared memory: every thread that evicts (the janitor, and
// writers that find no free segment) asks the same one. Called by the opener, the janitor and the attachment.
// The state has no lock. Each word is written whole by whoever evicts, a lost write loses one remembered key or one step of
// a clock, and every bit pattern is valid (policy/log-policy.ts), so neither a race nor a thread's death does harm.
import type { Geometry, Kernel } from "../kernel/mod.js";
import { LogPolicy, type PolicyName, policyStateBytes, settingOf } from "../policy/mod.js";

/** The policy has room to remember for entries of so many bytes on average (policyStateBytes says how much for each). */
const rememberedEntryBytes = 512;

/** Bytes of a cache's memory that its policy needs: 1/32 of it where the policy remembers keys that left. */
export function policyBytesFor(name: PolicyName, memoryBytes: number): number {
  const { keep, ghostTurnovers } = settingOf(name);
  const remembers = keep === "compete" || ghostTurnovers > 0;
  return policyStateBytes(remembers ? memoryBytes / rememberedEntryBytes : 0);
}

/** Free segments that the janitor keeps, those that only it may take included. */
export function watermarkOf(geometry: Geometry): number {
  return geometry.reserveSegments + Math.max(2, geometry.segmentCount >>> 5);
}

/** What the policy counts as full: the log less the segments that are kept free. */
export function policyCapacityOf(geometry: Geometry): number {
  return (geometry.segmentCount - watermarkOf(geometry)) * geometry.segmentBytes;
}

/** The policy as any thread of the cache uses it. */
export function policyOver(kernel: Kernel): LogPolicy {
  return new LogPolicy({ capacity: policyCapacityOf(kernel.geometry), ...kernel.policyRoom });
}

/** Chooses the policy; once, by the opener, before anybody evicts. */
export function setPolicy(kernel: Kernel, name: PolicyName): void {
  policyOver(kernel).adopt(settingOf(name));
}
