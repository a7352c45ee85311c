// The lookups of one thread: each is timed, counted as a hit or not, and checked. What is timed is
// the call alone. A lookup that finds its value in memory returns it and no promise, so neither the
// event loop nor another task of this thread is in that time. The machine may still take the
// processor away in the middle: what Linux says the thread waited for one is taken off. What is
// left is the cache's, and the runtime's: compilation and garbage collection are in it.
import { processorWaitNs } from "./processor-wait.js";
import type { Kind, VersionBook } from "./versions.js";

export const kinds = ["agents", "groups", "blocks", "history", "files", "query"] as const;
export type LookupKind = (typeof kinds)[number];

interface Versioned {
  readonly version: number;
}
interface Counts {
  asked: number;
  /** Of active users only. */
  askedActive: number;
  hitsActive: number;
}
/** An answer that is older than a change that had returned before. */
export interface Stale {
  readonly text: string;
  readonly thing: string;
  readonly version: number;
  /** When the lookup began, on the clock of all processes of the machine. */
  readonly atMs: number;
}
export interface LookupReport {
  readonly counts: Record<LookupKind, Counts>;
  readonly hitMs: number[];
  /** The same calls with the waits for a processor. */
  readonly hitWithWaitsMs: number[];
  /** All lookups, to the answer. */
  readonly answerMs: number[];
  readonly stale: Stale[];
}

export class Lookups {
  readonly #versions: VersionBook;
  readonly #activeUsers: number;
  #report = emptyReport();

  constructor(versions: VersionBook, activeUsers: number) {
    this.#versions = versions;
    this.#activeUsers = activeUsers;
  }

  /** What has been seen since the last call. */
  take(): LookupReport {
    const report = this.#report;
    this.#report = emptyReport();
    return report;
  }

  /** Looks a value up, and checks it against what had returned before. */
  async one<V extends Versioned>(
    kind: Kind,
    user: number,
    name: string,
    look: () => V | Promise<V | undefined>,
  ): Promise<V> {
    const before = this.#versions.of(kind, user, name);
    const atMs = clockMs();
    const value = await this.#timed(kind, user, look);
    this.#check(kind, user, name, { before, atMs }, value.version);
    return value;
  }

  /** The same for a query that answers all agents of a user. */
  async agentsOf<V extends readonly (Versioned & { readonly type: string })[]>(
    user: number,
    types: readonly string[],
    look: () => V | Promise<V | undefined>,
  ): Promise<V> {
    const before = types.map((type) => this.#versions.of("agents", user, type));
    const atMs = clockMs();
    const rows = await this.#timed("query", user, look);
    for (const [index, type] of types.entries()) {
      const version = rows.find((row) => row.type === type)?.version ?? -1;
      this.#check("agents", user, type, { before: before[index] ?? 0, atMs }, version);
    }
    return rows;
  }

  async #timed<V>(
    kind: LookupKind,
    user: number,
    look: () => V | Promise<V | undefined>,
  ): Promise<V> {
    const { counts, hitMs, hitWithWaitsMs } = this.#report;
    const count = counts[kind];
    const isActive = user < this.#activeUsers;
    count.asked++;
    if (isActive) count.askedActive++;
    const waited = processorWaitNs();
    const start = performance.now();
    const answer = look();
    const ms = performance.now() - start;
    if (!(answer instanceof Promise)) {
      hitMs.push(Math.max(0, ms - (processorWaitNs() - waited) / 1e6));
      hitWithWaitsMs.push(ms);
      this.#report.answerMs.push(ms);
      if (isActive) count.hitsActive++;
      return answer;
    }
    const value = await answer;
    this.#report.answerMs.push(performance.now() - start);
    if (value === undefined) throw new Error(`nothing found: ${kind} of user ${user}`);
    return value;
  }

  #check(kind: Kind, user: number, name: string, asked: Asked, version: number): void {
    if (version >= asked.before) return;
    const thing = thingOf(kind, user, name);
    const text = `${thing} is ${version}, was ${asked.before}`;
    this.#report.stale.push({ text, thing, version, atMs: asked.atMs });
  }
}

/** What was known when a lookup began, and when that was. */
interface Asked {
  readonly before: number;
  readonly atMs: number;
}

export function thingOf(kind: Kind, user: number, name: string): string {
  return `${kind} ${user}:${name}`;
}

/** Milliseconds on a clock that all processes of a machine share. */
export function clockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function emptyReport(): LookupReport {
  const counts = Object.fromEntries(
    kinds.map((kind) => [kind, { asked: 0, askedActive: 0, hitsActive: 0 }]),
  ) as Record<LookupKind, Counts>;
  return { counts, hitMs: [], hitWithWaitsMs: [], answerMs: [], stale: [] };
}
