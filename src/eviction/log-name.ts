// The policies' names for the two logs.
import { codes } from "../kernel/mod.js";
import type { LogName } from "../policy/mod.js";

export function logNameOf(log: number): LogName {
  return log === codes.logMain ? "main" : "small";
}
