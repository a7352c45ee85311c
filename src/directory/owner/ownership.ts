// Who has a directory, as a process beside its owner sees it: without a claim of its own, and
// without a word written to the directory. Called by who inspects one.
import { monotonicMs, readAnchorMs } from "../../base/mod.js";
import { kernelTag, listClaims, livenessOf, renewedMs } from "./claims.js";
import { isNameTaken } from "./lock.js";

/**
 * - `open`: a cache has it open.
 * - `free`: none has.
 * - `dead`: the process that had it open has died and left its claim.
 */
export type OwnerState = "open" | "free" | "dead";

/** What the claims in a directory say. */
export interface Ownership {
  readonly state: OwnerState;
  /** The owner runs under this kernel, and not on another machine; null without a claim. */
  readonly isThisKernel: boolean | null;
  /** When it last renewed its claim, wall-clock milliseconds; null without a claim. */
  readonly renewedMs: number | null;
}

/** Looks who has a directory. */
export async function ownershipOf(path: string): Promise<Ownership> {
  const free: Ownership = { state: "free", isThisKernel: null, renewedMs: null };
  let found = free;
  for (const claim of listClaims(path)) {
    const liveness = await livenessOf(path, claim, readAnchorMs() + monotonicMs());
    // It was withdrawn, or renamed by a candidate that has become the owner.
    if (liveness === "moved") continue;
    const isThisKernel = claim.kernel === kernelTag();
    const renewed = renewedMs(path, claim.name);
    if (liveness === "alive") return { state: "open", isThisKernel, renewedMs: renewed };
    found = { state: "dead", isThisKernel, renewedMs: renewed };
  }
  if (found.state === "free" && (await isNameTaken(path))) return { ...free, state: "open" };
  return found;
}
