// Ends a test file that blocks its thread: the runner's time limits need the event loop, so a loop
// that never ends would hold up the whole run, and nobody would see where.

import timers from "node:timers";
import { Worker } from "node:worker_threads";

import { expect } from "vitest";

/** Far beyond what the longest synchronous test takes on a busy machine. */
const stuckMs = Number(process.env["STUCK_MS"] ?? 300_000);

const program = `
const { workerData } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const beats = new Int32Array(workerData.beats);
for (let seen = -1; ; ) {
  const now = Atomics.load(beats, 0);
  if (now === seen) {
    writeSync(2, workerData.message);
    process.kill(process.pid, "SIGKILL");
  }
  seen = now;
  Atomics.wait(beats, 1, 0, workerData.stuckMs);
}`;

const beats = new SharedArrayBuffer(8);
const message = `${expect.getState().testPath} blocked its thread for ${stuckMs / 1000} s\n`;
new Worker(program, { eval: true, workerData: { beats, message, stuckMs }, stdin: false }).unref();
const beat = new Int32Array(beats);
timers.setInterval(() => Atomics.add(beat, 0, 1), stuckMs / 10).unref();
