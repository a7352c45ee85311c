// What is remembered of a tag that was invalidated, and what that says of an entry. Pure. Times are
// milliseconds of one timeline; an entry's is when the making of its value began.
//
// A tag may be invalidated at once ("gone"), or softly: what is older is stale from now on, and
// gone when a given time has come. Soft invalidations come again and again, so they are a
// staircase: each step voids what is not newer than `at` from `until` on, and both grow from step
// to step. A step that a later one makes superfluous is dropped. Invariant: no invalidation is ever
// forgotten or weakened by a later one, only made stricter for want of room.

/** One soft invalidation: what is not newer than `at` is stale, and from `until` on gone. */
export type SoftMark = readonly [at: number, until: number];

export interface TagMarks {
  /** What is not newer is gone. */
  readonly gone: number;
  readonly soft: readonly SoftMark[];
}

export type Verdict = "fresh" | "stale" | "gone";

/** The most steps of a tag. */
export const softMarksMax = 8;

const unmarked: TagMarks = { gone: -Infinity, soft: [] };

/** What the marks of a tag say of an entry of the time `time`. */
export function verdictOf({ gone, soft }: TagMarks, time: number, now: number): Verdict {
  if (time <= gone) return "gone";
  const mark = soft.find(([at]) => time <= at);
  if (mark === undefined) return "fresh";
  return mark[1] <= now ? "gone" : "stale";
}

/** The marks of a tag that is invalidated now: at once if `lifeMs` is 0, else what there is may be
 *  served as stale for so long. */
export function marked(marks: TagMarks = unmarked, now: number, lifeMs: number): TagMarks {
  if (!(lifeMs > 0)) return { gone: Math.max(marks.gone, now), soft: [] };
  const over = marks.soft.filter(([, until]) => until <= now);
  const gone = Math.max(marks.gone, ...over.map(([at]) => at));
  const until = now + lifeMs;
  const soft = marks.soft.filter((mark) => mark[1] > now && mark[1] < until);
  const last = soft.length < softMarksMax ? undefined : soft.pop();
  return { gone, soft: [...soft, [now, last?.[1] ?? until]] };
}

/** The newest time that any mark of the tag concerns. */
export function newestOf({ gone, soft }: TagMarks): number {
  return soft.at(-1)?.[0] ?? gone;
}
