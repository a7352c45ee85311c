// The goals, and whether they are met. Goals that are counted decide the exit code; those that are
// timed depend on what else the machine does, and are told only.
import { type Figures } from "./figures.js";
import { kinds } from "./lookups.js";

export interface Goal {
  readonly name: string;
  readonly isMet: boolean;
  readonly seen: string;
  readonly isTimed: boolean;
}

export interface Lives {
  readonly without: Figures;
  readonly cached: Figures;
  readonly restarted: Figures;
  readonly reopened: Figures;
}

export function goalsOf({ without, cached, restarted, reopened }: Lives): Goal[] {
  const counted = (name: string, isMet: boolean, seen: string): Goal => {
    return { name, isMet, seen, isTimed: false };
  };
  const timed = (name: string, ms: number | null, most: number, more = ""): Goal => {
    const seen = ms === null ? "never" : `${milliseconds(ms)}${more}`;
    return { name, isMet: ms !== null && ms < most, seen, isTimed: true };
  };
  const lives = [without, cached, restarted, reopened];
  const saved = (of: (figures: Figures) => number): number => 1 - of(cached) / of(without);
  const agents = saved((figures) => figures.agentCalls);
  const records = saved((figures) => figures.recordReads);
  const [worst = "agents"] = kinds.toSorted((a, b) => cached.hitRatio[a] - cached.hitRatio[b]);
  const all = (of: (figures: Figures) => readonly unknown[]): number =>
    lives.reduce((total, life) => total + of(life).length, 0);
  const answers = lives.reduce((total, life) => total + life.answers, 0);
  const { verified, wrong, firstHitMs } = reopened.report;
  const withWaits = (ms: number): string => ` (${milliseconds(ms)} with waits for a processor)`;
  return [
    counted("remote calls for agents down by 95 %", agents >= 0.95, percent(agents)),
    counted("SQLite reads down by 95 %", records >= 0.95, percent(records)),
    counted(
      "every kind hits for over 90 % (active users)",
      cached.hitRatio[worst] > 0.9,
      `${worst} ${percent(cached.hitRatio[worst])}`,
    ),
    counted(
      "no stale answer",
      all((life) => life.stale) === 0,
      `${all((life) => life.stale)} of ${answers}`,
    ),
    counted(
      "nothing wrong after kill -9",
      wrong.length === 0 && verified > 0,
      `${wrong.length} of ${verified}`,
    ),
    counted("no error", all((life) => life.errors) === 0, `${all((life) => life.errors)}`),
    timed("lookup p99 below 0.1 ms", cached.hits.p99, 0.1, withWaits(cached.hitsWithWaits.p99)),
    timed("lookup p99.9 below 1 ms", cached.hits.p999, 1, withWaits(cached.hitsWithWaits.p999)),
    timed("first hit within 1 s of a restart", restarted.report.firstHitMs, 1000),
    timed("first hit within 1 s of a kill -9", firstHitMs, 1000),
  ];
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function milliseconds(ms: number): string {
  return `${ms.toFixed(ms < 1 ? 4 : ms < 100 ? 1 : 0)} ms`;
}
