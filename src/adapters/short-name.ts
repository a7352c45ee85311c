// The part of a key that names what a host gave a text for, of any length and content. Used by
// adapters. Invariant: two texts have two names.
import { isWellFormed } from "../base/mod.js";
import { digest } from "./canonical.js";

/** The longest text that is its own name; of others it is the hash. */
const lengthMax = 1024;

export function shortName(text: string): string {
  const isPlain = text.length <= lengthMax && isWellFormed(text) && !text.startsWith("#");
  return isPlain ? text : `#${digest(text)}`;
}
