// Keys, and values that identify themselves: a value read under another key, or made of two values,
// is detected.

export interface Value {
  readonly key: string;
  readonly number: number;
  readonly pad: string;
}

export function keyOf(number: number): string {
  return `k${number}`;
}

/** A value of a key; `bytes` is about its size. */
export function valueOf(key: string, number: number, bytes: number): Value {
  const word = `${key}#${number};`;
  return { key, number, pad: word.repeat(Math.ceil(bytes / word.length)) };
}

/** What is wrong with a value that was read under a key, or undefined. */
export function faultOf(key: string, value: unknown): string | undefined {
  const { key: own, number, pad } = value as Value;
  if (own !== key) return `${key.slice(0, 20)} has the value of ${String(own).slice(0, 20)}`;
  const word = `${key}#${number};`;
  const isWhole = pad === word.repeat(pad.length / word.length);
  return isWhole ? undefined : `${key.slice(0, 20)} has a torn value`;
}
