// Why a conditional write was not made, and what kind of key it was for. Used by the memory writer.
import { codes, HashedKey, type Key } from "../kernel/mod.js";

/** Why a conditional write was not made. "changed": the entry is not what the caller saw, or it is
 *  on disk only, where its revision cannot be seen. "outdated": the key has a newer revision. */
export type Refusal = "changed" | "outdated";

export function refusalOf(answer: number): Refusal | undefined {
  if (answer === codes.answerChanged) return "changed";
  return answer === codes.answerOutdated ? "outdated" : undefined;
}

export function isBytes(key: Key | HashedKey): boolean {
  return key instanceof HashedKey ? key.isBytes : typeof key !== "string";
}
