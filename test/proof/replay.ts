// The proof that the engine evicts as the model says: a real cache replays request traces, with
// real sets, gets and segments, and for every policy its miss ratio is compared with the model that
// the simulator runs.

import { hold, type Proof } from "./proof.js";
import { replay, replayedPolicies as policyNames } from "./replayed.js";
import { generatedTrace, type Trace, traceOf } from "./trace.js";

export const replayProof: Proof<"percent" | "sized" | "near" | "requests" | "points"> = {
  name: "replay",
  about:
    "traces (files as `undercroft simulate` reads them; without one, a generated trace) " +
    "through a real cache and through the model: miss ratios at most --points apart",
  takesFiles: true,
  options: {
    /** The cache's size, in percent of the trace's unique keys; at least 512 entries. */
    percent: 10,
    /** 1: values of the sizes in the trace, scaled; 0: all of one size. */
    sized: 0,
    /** 1: values are kept near, 0: each is read from shared memory. */
    near: 0,
    /** The most requests of each trace. */
    requests: 1_000_000,
    points: 0.5,
  },
  async run({ percent, sized, near, requests, points }, say, files = []) {
    const generated = async (): Promise<Trace> => generatedTrace(60_000, 8000, 3);
    const traces = files.length === 0 ? [generated] : files.map((file) => () => traceOf(file));
    let most = 0;
    for (const open of traces) {
      const whole = await open();
      const trace = { ...whole, keys: whole.keys.subarray(0, requests) };
      const entries = Math.max(512, Math.round((trace.sizes.length * percent) / 100));
      for (const policy of policyNames) {
        const settings = { policy, entries, sized: sized === 1, near: near === 1 };
        const { engine, model } = await replay(trace, settings);
        const apart = Math.abs(engine - model) * 100;
        most = Math.max(most, apart);
        say(
          `${trace.name.padEnd(20)} ${policy.padEnd(8)} engine ${engine.toFixed(4)}  ` +
            `model ${model.toFixed(4)}  ${apart.toFixed(2)} points apart`,
        );
        hold(apart <= points, `${trace.name}, ${policy}: ${apart.toFixed(2)} points apart`);
      }
    }
    const shown = `${traces.length} traces, ${policyNames.length} policies`;
    return `${shown}, at most ${most.toFixed(2)} points apart`;
  },
};
