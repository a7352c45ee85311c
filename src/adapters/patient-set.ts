// A set for hosts that wait for it: keyv and unstorage. Called by their adapters.
import type { SetOptions } from "../config/mod.js";
import type { SetOutcome } from "../entries/mod.js";
import type { Space } from "./space.js";

/**
 * `set`; while memory is full of what the disk has not taken yet, `setAsync`, which waits for room,
 * within its bounds.
 */
export async function patientSet(
  space: Space,
  key: string,
  value: unknown,
  options: SetOptions,
): Promise<SetOutcome> {
  const outcome = space.set(key, value, options);
  return outcome === "overloaded" ? space.setAsync(key, kept(value), options) : outcome;
}

/** A copy of bytes, since `setAsync` may take them away from the host. */
function kept(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value;
  return Buffer.isBuffer(value) ? Buffer.from(value) : new Uint8Array(value);
}
