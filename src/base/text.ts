// What is asked of strings everywhere. Called by config and codec.

/** Node 20 has the method; the compiler's library for the language level used here does not know it yet. */
interface WellFormedString {
  isWellFormed(): boolean;
}

/** Whether `text` has no lone surrogate, so that UTF-8 keeps it. Constant time for a string of one-byte characters. */
export function isWellFormed(text: string): boolean {
  return (text as unknown as WellFormedString).isWellFormed();
}
