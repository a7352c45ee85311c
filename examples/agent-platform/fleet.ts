// The processes of one run, as many.ts has them: starts and stops them, and gathers what they tell.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { clockMs } from "./lookups.js";
import type { Instance, Sample, Told } from "./instance.js";
import type { Settled } from "./shared-versions.js";

export interface Seen extends Sample {
  readonly atMs: number;
  readonly column: number;
}

export class Fleet {
  readonly samples: Seen[] = [];
  readonly settled: Settled[] = [];
  /** Those that ended otherwise than told. */
  readonly crashes: string[] = [];
  readonly #running = new Map<number, ChildProcess>();

  /** Resolves to the role of the process, once it answers messages. */
  async start(instance: Instance): Promise<string> {
    const file = fileURLToPath(new URL("./instance.js", import.meta.url));
    const child = fork(file, [JSON.stringify(instance)]);
    const { column } = instance;
    this.#running.set(column, child);
    return new Promise((resolve, reject) => {
      child.on("message", (told: Told) => {
        if ("ready" in told) resolve(told.ready);
        else if ("settled" in told) this.settled.push(told.settled);
        else this.samples.push({ ...told.sample, atMs: clockMs(), column });
      });
      child.once("exit", (code, signal) => {
        this.#running.delete(column);
        if (code === 0) return;
        this.crashes.push(`process ${column} ended with ${signal ?? code}`);
        reject(new Error(this.crashes.at(-1)));
      });
    });
  }

  /** Resolves when it has answered what it had begun, and closed its cache. */
  async stop(column: number): Promise<void> {
    const child = this.#running.get(column);
    if (child === undefined) return;
    const ended = once(child, "exit");
    child.send("stop");
    await ended;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((column) => this.stop(column)));
  }

  kill(): void {
    for (const child of this.#running.values()) child.kill("SIGKILL");
  }
}
