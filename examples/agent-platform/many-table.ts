// What many.ts prints at its end: both runs side by side, and the goals.
import { type Percentiles, percentilesOf } from "./figures.js";
import { type Goal, milliseconds, percent } from "./goals.js";
import { kinds, type LookupKind, type Stale } from "./lookups.js";
import { aligned } from "./table.js";
import type { Seen } from "./fleet.js";
import type { Settled } from "./shared-versions.js";

/** What redisTier promises of changes that another host has flushed, in milliseconds. */
const stalenessMs = 2000;
const backPoints = 5;

interface Watched {
  readonly name: string;
  /** Of what is measured, on the clock of all processes. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly remoteCalls: number;
  readonly recordReads: number;
  readonly samples: readonly Seen[];
  readonly settled: readonly Settled[];
  readonly crashes: readonly string[];
  readonly reload: Reload | undefined;
}
interface Reload {
  readonly fromMs: number;
  readonly toMs: number;
  readonly backMs: number | null;
}

export interface Run {
  readonly name: string;
  readonly messages: number;
  readonly remoteCalls: number;
  readonly recordReads: number;
  readonly hitRatio: Readonly<Record<LookupKind, number>>;
  readonly answers: Percentiles;
  /** Of the whole run, as are errors and stale answers. */
  readonly checked: number;
  readonly errors: readonly string[];
  readonly stale: readonly string[];
  /** Answers older than another host's change, within what is promised: how late each was. */
  readonly lateMs: readonly number[];
  readonly before: number;
  readonly during: number;
  readonly retries: number;
  readonly reload: Reload | undefined;
}

/** Over hosts an answer may be older than another's change by what the tier promises, never older
 *  than a change of the same host. Over processes it may not be older at all. */
export function runOf(watched: Watched, isHosts: boolean): Run {
  const { name, fromMs, toMs, samples, settled, crashes, reload } = watched;
  const measured = samples.filter(({ atMs }) => atMs > fromMs && atMs <= toMs);
  const stale: string[] = [];
  const lateMs: number[] = [];
  for (const { column, lookups } of samples) {
    for (const one of lookups.stale) {
      const late = lateness(one, column, settled);
      if (isHosts && !late.isOwn && late.ms <= stalenessMs) lateMs.push(late.ms);
      else stale.push(`${one.text}, ${late.ms.toFixed(1)} ms late`);
    }
  }
  return {
    name,
    messages: sum(measured, (sample) => sample.messages),
    remoteCalls: watched.remoteCalls,
    recordReads: watched.recordReads,
    hitRatio: Object.fromEntries(
      kinds.map((kind) => [kind, withoutLoad(measured, [kind])]),
    ) as Run["hitRatio"],
    answers: percentilesOf(measured.flatMap(({ lookups }) => lookups.answerMs)),
    checked: sum(samples, (sample) => asked(sample, kinds)),
    errors: [...samples.flatMap(({ errors }) => errors), ...crashes],
    stale,
    lateMs,
    retries: sum(samples, (sample) => sample.retries),
    before: withoutLoad(measured, kinds),
    during: reload === undefined ? 0 : shareWithoutLoad(samples, reload.fromMs, reload.toMs),
    reload,
  };
}

/** The share of lookups that no loader was called for, of samples told in a time. */
export function shareWithoutLoad(samples: readonly Seen[], fromMs: number, toMs: number): number {
  return withoutLoad(
    samples.filter(({ atMs }) => atMs > fromMs && atMs <= toMs),
    kinds,
  );
}

export function manyTable(without: Run, cached: Run, isHosts: boolean): string {
  const one = (title: string, cell: (run: Run) => string): string[] => [
    title,
    cell(without),
    cell(cached),
  ];
  const ofCache = (title: string, cell: (run: Run) => string): string[] => [
    title,
    "-",
    cell(cached),
  ];
  const a = (of: (run: Run) => number) => (run: Run) => (of(run) / run.messages).toFixed(3);
  const { reload } = cached;
  const rows = [
    ["", without.name, cached.name],
    one("messages", ({ messages }) => String(messages)),
    one(
      "remote calls, a message",
      a((run) => run.remoteCalls),
    ),
    one(
      "SQLite reads, a message",
      a((run) => run.recordReads),
    ),
    ...kinds.map((kind) =>
      ofCache(`without a load, ${kind}`, (run) => percent(run.hitRatio[kind])),
    ),
    one("lookup p50", ({ answers }) => milliseconds(answers.p50)),
    one("lookup p99", ({ answers }) => milliseconds(answers.p99)),
    one("stale answers", ({ stale, checked }) => `${stale.length} of ${checked}`),
    one("errors", ({ errors }) => String(errors.length)),
    ofCache("changes told again", ({ retries }) => String(retries)),
  ];
  if (isHosts) {
    const worst = Math.max(0, ...cached.lateMs);
    rows.push(
      ofCache("within the delay of the news", ({ lateMs }) => String(lateMs.length)),
      ofCache("  the latest", () => milliseconds(worst)),
    );
  }
  if (reload !== undefined) {
    rows.push(
      ofCache("all replaced in", () => milliseconds(reload.toMs - reload.fromMs)),
      ofCache("  without a load, before", (run) => percent(run.before)),
      ofCache("  meanwhile", (run) => percent(run.during)),
    );
  }
  return aligned(rows, (column) => column > 0);
}

export function manyGoals(without: Run, cached: Run, isHosts: boolean): Goal[] {
  const perMessage = ({ remoteCalls, messages }: Run): number => remoteCalls / messages;
  const saved = 1 - perMessage(cached) / perMessage(without);
  const runs = [without, cached];
  const counted = (name: string, isMet: boolean, seen: string): Goal => {
    return { name, isMet, seen, isTimed: false };
  };
  const stale = runs.reduce((all, run) => all + run.stale.length, 0);
  const errors = runs.reduce((all, run) => all + run.errors.length, 0);
  const checked = runs.reduce((all, run) => all + run.checked, 0);
  const goals = [
    counted("remote calls down by 75 %", saved >= 0.75, percent(saved)),
    counted(
      isHosts ? "no answer older than promised" : "no stale answer",
      stale === 0 && checked > 0,
      `${stale} of ${checked}`,
    ),
    counted("no error", errors === 0, String(errors)),
  ];
  const { reload } = cached;
  if (reload === undefined) return goals;
  const seen = reload.backMs === null ? "never" : milliseconds(reload.backMs);
  const name = `hits within ${backPoints} points of before, 10 s after the last`;
  return [...goals, { name, isMet: reload.backMs !== null, seen, isTimed: true }];
}

/** How long before the lookup the first newer version had returned, and whether in its process. */
function lateness(stale: Stale, column: number, settled: readonly Settled[]) {
  const newer = settled.filter(
    ({ thing, version, atMs }) =>
      thing === stale.thing && version > stale.version && atMs <= stale.atMs,
  );
  const first = Math.min(...newer.map(({ atMs }) => atMs));
  return { ms: stale.atMs - first, isOwn: newer.some((each) => each.column === column) };
}

function withoutLoad(samples: readonly Seen[], of: readonly LookupKind[]): number {
  const loaded = sum(samples, ({ loads }) => of.reduce((all, kind) => all + loads[kind], 0));
  return (
    1 -
    loaded /
      Math.max(
        1,
        sum(samples, (sample) => asked(sample, of)),
      )
  );
}

function asked({ lookups }: Seen, of: readonly LookupKind[]): number {
  return of.reduce((all, kind) => all + lookups.counts[kind].asked, 0);
}

function sum(samples: readonly Seen[], of: (sample: Seen) => number): number {
  return samples.reduce((all, sample) => all + of(sample), 0);
}
