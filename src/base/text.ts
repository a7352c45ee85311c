// Properties of strings. Called by config, codec and kernel.

/**
 * Node 20 has this method, but the compiler's library for this language level does not declare it.
 */
interface WellFormedString {
  isWellFormed(): boolean;
}

/**
 * A copy of a well-formed text that holds its own characters. A substring points into the larger
 * string that it was cut from, and keeps that alive.
 */
export function ownText(text: string): string {
  return Buffer.from(text, "utf8").toString("utf8");
}

/**
 * Whether `text` has no lone surrogate, so that UTF-8 keeps it. Constant time for a string of
 * one-byte characters.
 */
export function isWellFormed(text: string): boolean {
  return (text as unknown as WellFormedString).isWellFormed();
}
