// What operators' commands and a running cache say to each other: a line of JSON each way. Both
// sides check what they get.
import type { CacheStats } from "../stats/mod.js";
import { type Details, isDetails } from "./details.js";

export const protocolVersion = 2;
/** The longest question, and the longest answer, in bytes. */
export const questionBytesMax = 4096;
export const answerBytesMax = 1024 * 1024;
/** The most hot keys of an answer. */
export const hotKeysMax = 50;

export interface Question {
  readonly v: typeof protocolVersion;
  /** How many of the hottest keys. */
  readonly keys: number;
  /** With their names. */
  readonly names: boolean;
  /** With what changes slowly and takes room: segments, threads, the policy. */
  readonly details: boolean;
  /** Record requests from now on, until this is not asked for 10 seconds. */
  readonly record?: RecordQuestion | undefined;
}

export interface RecordQuestion {
  /** The part of the keys whose requests are recorded, above 0 and at most 1; 0 ends it. */
  readonly sample: number;
  /** What keys are hashed with: two whole numbers of 32 bits. It names the recording. */
  readonly salt: readonly [number, number];
}

/** What was recorded since the question before. */
export interface Recorded {
  /** stats/request-ring.ts, in base64. */
  readonly events: string;
  /** Events that did not fit the ring. */
  readonly lost: number;
  /** The recording began with this question, or begins again. */
  readonly isNew: boolean;
}

/** What may be done with a key: look it up, let it expire now, delete it. */
export const keyActs = ["look", "expire", "delete"] as const;
export type KeyAct = (typeof keyActs)[number];

export interface KeyQuestion {
  readonly v: typeof protocolVersion;
  readonly act: KeyAct;
  /** "" for the cache's own key space. */
  readonly namespace: string;
  readonly key: string;
}

/** What an act on a key came to. Never the value. */
export interface KeyAnswer {
  readonly v: typeof protocolVersion;
  readonly act: KeyAct;
  /** "found", "deleted", "expired" or "absent"; of an expiry also what `update` says of one that
   *  was not done: "overloaded", "contended". */
  readonly outcome: string;
  /** Of a key that a look found. Times are by the wall clock; Infinity is null. */
  readonly entry: {
    readonly source: string;
    readonly createdAt: number;
    readonly expiresAt: number | null;
    readonly staleUntil: number | null;
    readonly size: number;
    readonly tags: readonly string[];
  } | null;
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
  /** Null unless they were asked for. */
  readonly details: Details | null;
  /** If it was asked for; null if somebody else records. */
  readonly recorded?: Recorded | null;
}

/** Why there is no answer. */
export interface Refusal {
  readonly v: typeof protocolVersion;
  readonly error: string;
}

export type Answer = Sample | KeyAnswer | Refusal;

/** The question in a line; a text that says what is wrong with it. */
export function questionIn(line: string): Question | KeyQuestion | string {
  const asked = parsed(line);
  if (asked?.["v"] !== protocolVersion) return `the question is not of version ${protocolVersion}`;
  if (asked["act"] !== undefined) return keyQuestionOf(asked);
  const { keys, names, details } = asked;
  const isCount = Number.isInteger(keys) && Number(keys) >= 0 && Number(keys) <= hotKeysMax;
  if (!isCount || typeof names !== "boolean" || typeof details !== "boolean") {
    return `the question needs keys, 0 to ${hotKeysMax}, and names and details, true or false`;
  }
  const record = asked["record"];
  if (record === undefined) return { v: protocolVersion, keys: Number(keys), names, details };
  if (!isRecordQuestion(record)) return "record needs sample, 0 to 1, and salt, two numbers";
  return { v: protocolVersion, keys: Number(keys), names, details, record };
}

function keyQuestionOf(asked: Readonly<Record<string, unknown>>): KeyQuestion | string {
  const { namespace, key } = asked;
  const act = keyActs.find((each) => each === asked["act"]);
  if (act === undefined || typeof namespace !== "string" || typeof key !== "string") {
    return `the question needs act (${keyActs.join(", ")}), namespace and key, which are texts`;
  }
  return { v: protocolVersion, act, namespace, key };
}

function isRecordQuestion(value: unknown): value is RecordQuestion {
  const { sample, salt } = (value ?? {}) as Record<string, unknown>;
  const isSalt =
    Array.isArray(salt) && salt.length === 2 && salt.every((word) => word === Number(word) >>> 0);
  return isSalt && typeof sample === "number" && sample >= 0 && sample <= 1;
}

/** The answer in a line; undefined if it is none of this version. */
export function answerIn(line: string): Answer | undefined {
  const answer = parsed(line);
  if (answer?.["v"] !== protocolVersion) return undefined;
  if (typeof answer["error"] === "string") return { v: protocolVersion, error: answer["error"] };
  if (typeof answer["outcome"] === "string") return answer as unknown as KeyAnswer;
  const { pid, name, openMs, stats, keys, details } = answer;
  const isWhole =
    Number.isInteger(pid) &&
    typeof name === "string" &&
    typeof openMs === "number" &&
    typeof stats === "object" &&
    stats !== null &&
    Array.isArray(keys) &&
    isDetails(details);
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
