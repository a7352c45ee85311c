// The passes of the janitor over the index: one begins when there may be something to find, and
// finds it. Also how the janitor rests between its rounds.
import { describe, expect, test } from "vitest";

import { RemovalReporter } from "../../dist/src/eviction/mod.js";
import { IndexSweep } from "../../dist/src/janitor/index-sweep.js";
import * as at from "../../dist/src/kernel/layout.js";
import { counterExpirations } from "../../dist/src/stats/mod.js";
import { openThread } from "../kernel/opened-kernel.js";

function sweptThread() {
  const thread = openThread();
  const { kernel } = thread;
  const sweep = new IndexSweep(kernel, new RemovalReporter(kernel, null), () => undefined);
  /** One step, which takes place at most once a millisecond. */
  const step = (now: number): void => {
    for (const from = performance.now(); performance.now() - from < 1.5;);
    sweep.step(now);
  };
  /** Steps until the pass is over. */
  const pass = (now: number): number => {
    const before = kernel.total(counterExpirations);
    do step(now);
    while (sweep.isUnderWay);
    return kernel.total(counterExpirations) - before;
  };
  return { thread, sweep, step, pass };
}

describe("a pass over the index", () => {
  test("begins at the start, and then when a deadline has passed", () => {
    const { thread, sweep, pass } = sweptThread();
    expect(sweep.isUnderWay).toBe(true);
    expect(pass(0)).toBe(0);
    thread.put("a", "value", { expiresMs: 100 });
    thread.put("b", "value", { expiresMs: 200 });
    expect([pass(99), pass(100), pass(199), pass(200), pass(300)]).toEqual([0, 1, 0, 1, 0]);
    expect(thread.kernel.control.soonestDeadline()).toBe(Infinity);
  });

  test("does not begin while nothing can be found", () => {
    const { thread, pass } = sweptThread();
    pass(0);
    thread.put("a", "value", { expiresMs: 100 });
    // A pass would lower it to 100.
    thread.kernel.control.forgetDeadlines();
    pass(50);
    expect(thread.kernel.control.soonestDeadline()).toBe(Infinity);
  });

  test("begins after a tag was invalidated, and for a segment that waits for a lock", () => {
    const { thread, pass } = sweptThread();
    const { kernel, verbs } = thread;
    pass(0);
    const beginsPass = (): boolean => {
      thread.put("a", "value", { expiresMs: 100 });
      kernel.control.forgetDeadlines();
      pass(50);
      return kernel.control.soonestDeadline() === 100;
    };
    expect(beginsPass()).toBe(false);
    verbs.invalidateTag(1, 2, 0);
    expect(beginsPass()).toBe(true);
    expect(beginsPass()).toBe(false);
    const state = (at.segmentTable + at.segmentEntrySize * 7 + at.segmentState) / 4;
    kernel.views.u32[state] = at.segmentBlocked;
    expect(beginsPass()).toBe(true);
    // It has sealed the segment.
    expect(kernel.views.u32[state]).toBe(at.segmentSealed);
  });

  test("begins anew after a clear", () => {
    const { thread, sweep, pass } = sweptThread();
    thread.put("a", "value");
    pass(0);
    thread.verbs.clear();
    sweep.restart();
    expect(sweep.isUnderWay).toBe(true);
    pass(0);
    const { views, geometry } = thread.kernel;
    const { bucketBase, bucketCount } = geometry;
    const words = new BigUint64Array(views.u8.buffer, bucketBase, bucketCount * 8);
    expect(words.every((word) => word === 0n)).toBe(true);
  });
});
