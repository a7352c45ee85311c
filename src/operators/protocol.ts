// What operators' commands and a running cache say to each other: a line of JSON each way. Both
// sides check what they get.
import type { CacheStats } from "../stats/mod.js";

export const protocolVersion = 1;
/** The longest question, and the longest answer, in bytes. */
export const questionBytesMax = 1024;
export const answerBytesMax = 1024 * 1024;
/** The most hot keys of an answer. */
export const hotKeysMax = 50;

export interface Question {
  readonly v: typeof protocolVersion;
  /** How many of the hottest keys. */
  readonly keys: number;
  /** With their names. */
  readonly names: boolean;
}

export interface HotKey {
  readonly hash: string;
  readonly namespace: string;
  readonly samples: number;
  /** The key, or its beginning; undefined unless it was asked for. */
  readonly key?: string;
}

/** The state of a cache at one moment. */
export interface Sample {
  readonly v: typeof protocolVersion;
  readonly pid: number;
  readonly node: string;
  readonly name: string;
  /** Of its directory; null for a cache in memory only. */
  readonly path: string | null;
  /** Milliseconds since it was opened. */
  readonly openMs: number;
  readonly stats: CacheStats;
  /** The hottest keys of the last minute among `keySamples` sampled requests. */
  readonly keys: readonly HotKey[];
  readonly keySamples: number;
}

/** Why there is no answer. */
export interface Refusal {
  readonly v: typeof protocolVersion;
  readonly error: string;
}

/** The question in a line; a text that says what is wrong with it. */
export function questionIn(line: string): Question | string {
  const asked = parsed(line);
  if (asked?.["v"] !== protocolVersion) return `the question is not of version ${protocolVersion}`;
  const { keys, names } = asked;
  const isCount = Number.isInteger(keys) && Number(keys) >= 0 && Number(keys) <= hotKeysMax;
  if (!isCount || typeof names !== "boolean") {
    return `the question needs keys, 0 to ${hotKeysMax}, and names, true or false`;
  }
  return { v: protocolVersion, keys: Number(keys), names };
}

/** The answer in a line; undefined if it is none of this version. */
export function answerIn(line: string): Sample | Refusal | undefined {
  const answer = parsed(line);
  if (answer?.["v"] !== protocolVersion) return undefined;
  if (typeof answer["error"] === "string") return { v: protocolVersion, error: answer["error"] };
  const { pid, name, openMs, stats, keys } = answer;
  const isWhole =
    Number.isInteger(pid) &&
    typeof name === "string" &&
    typeof openMs === "number" &&
    typeof stats === "object" &&
    stats !== null &&
    Array.isArray(keys);
  return isWhole ? (answer as unknown as Sample) : undefined;
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
