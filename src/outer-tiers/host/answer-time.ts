// How long a tier may take for one answer. Called by TierLink.
import { clearTimeout, describe, setTimeout, UndercroftError } from "../../base/mod.js";

/** A tier that takes longer for one call is down until it has answered. */
export const tierTimeoutMs = 5000;

/** The answer of a tier; rejects if it is late. */
export function inTime<T>(answer: Promise<T>, tier: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(lateError(tier)), tierTimeoutMs);
    void answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

export function lateError(tier: string): UndercroftError {
  const text = `Cannot use tier ${describe(tier)}: it did not answer within ${tierTimeoutMs} ms`;
  return new UndercroftError("ERR_TIER", text);
}
