// Values that say which key and which write they belong to, so that a wrong answer can be named: an
// older write, another key's value, torn bytes. Called by the reference and the replay.

/** A write of the model. Its number decides every byte of the value, and its schema. */
export interface Write {
  readonly key: number;
  readonly version: number;
  readonly size: number;
  /** Milliseconds on the manual clock; `Infinity` is for ever. */
  readonly expiresAt: number;
  /** Until when `fetch` may serve it stale; `expiresAt` if never. */
  readonly staleUntil: number;
  readonly tags: readonly string[];
}

/** What is stored: an object, a string or bytes, each with key, version and filler. */
export type Value = string | Uint8Array | { key: string; version: number; filler: string };

/** The cache's key of model key `key`; some are long, some are not ASCII. */
export function keyName(key: number): string {
  if (key % 17 === 3) return `k${key}:${"long".repeat(40)}`;
  return key % 5 === 2 ? `k${key}:schlüssel` : `k${key}:key`;
}

/** The value of a write. Two calls give equal values. */
export function valueOf({ key, version, size }: Write): Value {
  const filler = String.fromCharCode(97 + (version % 26)).repeat(size);
  if (version % 3 === 0) return { key: keyName(key), version, filler };
  const text = `${key}|${version}|${filler}`;
  return version % 3 === 1 ? text : new TextEncoder().encode(text);
}

/** True if `value` is exactly the value of `write`. */
export function isValueOf(value: unknown, write: Write): boolean {
  const expected = valueOf(write);
  if (typeof expected === "string") return value === expected;
  if (expected instanceof Uint8Array) {
    return value instanceof Uint8Array && Buffer.compare(value, expected) === 0;
  }
  if (typeof value !== "object" || value === null || Object.keys(value).length !== 3) return false;
  const { key, version, filler } = value as Record<string, unknown>;
  return key === expected.key && version === expected.version && filler === expected.filler;
}

/** A value in a few words, for a fault's text: what it says about itself. */
export function nameOfValue(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes "${nameOfText(new TextDecoder().decode(value))}"`;
  if (typeof value === "string") return `text "${nameOfText(value)}"`;
  if (typeof value === "object" && value !== null) return nameOfText(JSON.stringify(value));
  return String(value);
}

function nameOfText(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 48)}… (${text.length} characters)`;
}
