// What a life of the service comes to: its reports and the calls that the remote API counted.
import { kinds, type LookupKind } from "./lookups.js";
import type { LifeReport } from "./service.js";

export interface Figures {
  readonly name: string;
  readonly report: LifeReport;
  readonly messages: number;
  readonly messagesPerSecond: number;
  /** Reads of the remote API for each message: of agents, and of all kinds. */
  readonly agentCalls: number;
  readonly remoteReads: number;
  readonly recordReads: number;
  /** Share of the lookups of active users that were answered from memory, by kind. */
  readonly hitRatio: Record<LookupKind, number>;
  /** Lookups that did not wait for a load, without their waits for a processor, and with them. */
  readonly hits: Percentiles;
  readonly hitsWithWaits: Percentiles;
  readonly loopDelayMs: number;
  readonly cpuMsPerMessage: number;
  readonly stale: readonly string[];
  readonly errors: readonly string[];
  readonly answers: number;
}
export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export function figuresOf(
  name: string,
  report: LifeReport,
  calls: ReadonlyMap<string, number>,
  seconds: number,
): Figures {
  const { threads } = report;
  const sum = (of: (thread: (typeof threads)[number]) => number): number =>
    threads.reduce((total, thread) => total + of(thread), 0);
  const messages = sum((thread) => thread.messages);
  const reads = [...calls].filter(([kind]) => kind.startsWith("GET "));
  const ratioOf = (kind: LookupKind): number =>
    sum(({ lookups }) => lookups.counts[kind].hitsActive) /
    Math.max(
      1,
      sum(({ lookups }) => lookups.counts[kind].askedActive),
    );
  return {
    name,
    report,
    messages,
    messagesPerSecond: messages / seconds,
    agentCalls: (calls.get("GET agents") ?? 0) / messages,
    remoteReads: reads.reduce((total, [, count]) => total + count, 0) / messages,
    recordReads: sum((thread) => thread.recordReads) / messages,
    hitRatio: Object.fromEntries(kinds.map((kind) => [kind, ratioOf(kind)])) as Figures["hitRatio"],
    hits: percentilesOf(threads.flatMap(({ lookups }) => lookups.hitMs)),
    hitsWithWaits: percentilesOf(threads.flatMap(({ lookups }) => lookups.hitWithWaitsMs)),
    loopDelayMs: Math.max(...threads.map((thread) => thread.loopDelayMs)),
    cpuMsPerMessage: report.cpuMs / messages,
    stale: threads.flatMap(({ lookups }) => lookups.stale.map(({ text }) => text)),
    errors: threads.flatMap((thread) => thread.errors),
    answers: kinds.reduce((all, kind) => all + sum((t) => t.lookups.counts[kind].asked), 0),
  };
}

export function percentilesOf(samples: readonly number[]): Percentiles {
  const sorted = Float64Array.from(samples).sort();
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}
