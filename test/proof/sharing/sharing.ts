// Processes share a directory while they are killed, replaced and reloaded; afterwards what they
// read is judged. Called by main.ts and, in its CI share, by a test.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hold, type Proof } from "../proof.js";
import { type Operation, readLog } from "./operation-log.js";
import { judge, type Staleness } from "./staleness.js";

const program = fileURLToPath(new URL("sharing-member.js", import.meta.url));
const builtDoor = new URL("../../../src/mod.js", import.meta.url).href;

export interface SharingOptions {
  /** Processes at once. */
  readonly processes: number;
  /** How many are ended and replaced: half of them killed, most of those while they have the
   *  directory; the others closed once their successor has begun. */
  readonly ends: number;
  /** Milliseconds from one end to the next. */
  readonly everyMs: number;
  readonly keys: number;
  readonly seed: number;
  /** The package's entry. */
  readonly door?: string;
}

export interface SharingReport extends Staleness {
  readonly killed: number;
  readonly ownersKilled: number;
  readonly reloaded: number;
  /** What processes said was wrong. */
  readonly said: readonly string[];
}

interface Done {
  readonly faults: readonly string[];
}

class Running {
  readonly child: ChildProcess;
  readonly index: number;
  role = "none";
  done: Done | undefined;

  constructor(child: ChildProcess, index: number) {
    this.child = child;
    this.index = index;
    child.on("message", (message: { role?: string; done?: Done }) => {
      if (message.role !== undefined) this.role = message.role;
      if (message.done !== undefined) this.done = message.done;
    });
  }

  async ended(): Promise<void> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
}

export class SharingRun {
  readonly #options: SharingOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), "undercroft-sharing-"));
  readonly #running = new Set<Running>();
  readonly #said: string[] = [];
  #started = 0;
  #state: number;

  constructor(options: SharingOptions) {
    this.#options = options;
    this.#state = options.seed >>> 0 || 1;
  }

  #random(below: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % below;
  }

  async #start(): Promise<void> {
    const { keys, door = builtDoor } = this.#options;
    const index = this.#started++;
    const path = join(this.#folder, "cache");
    const file = this.#fileOf(index);
    const seed = this.#random(2 ** 31);
    const given = { door, path, file, process: index, seed, keys, tags: 8 };
    const child = fork(program, [JSON.stringify(given)], { execArgv: [] });
    const running = new Running(child, index);
    this.#running.add(running);
    const ready = new Promise((resolve) => {
      child.on("message", (message: { ready?: number }) => {
        if (message.ready !== undefined) resolve(undefined);
      });
      child.on("exit", resolve);
    });
    await ready;
  }

  #fileOf(index: number): string {
    return join(this.#folder, `operations-${index}`);
  }

  /** Ends a process in order; it must have done all without an error. */
  async #stop(running: Running): Promise<void> {
    this.#running.delete(running);
    if (running.child.connected) running.child.send("stop");
    await running.ended();
    const { done, index } = running;
    if (done === undefined) this.#said.push(`process ${index} ended without being told to`);
    for (const fault of done?.faults ?? []) this.#said.push(`process ${index}: ${fault}`);
  }

  async #kill(running: Running): Promise<void> {
    this.#running.delete(running);
    running.child.kill("SIGKILL");
    await running.ended();
  }

  #one(role?: string): Running {
    const all = Array.from(this.#running);
    const wanted = all.filter((running) => running.role === role);
    const from = wanted.length > 0 ? wanted : all;
    return from[this.#random(from.length)] as Running;
  }

  async run(say: (line: string) => void): Promise<SharingReport> {
    const { processes, ends, everyMs } = this.#options;
    let [killed, ownersKilled, reloaded] = [0, 0, 0];
    try {
      await Promise.all(Array.from({ length: processes }, () => this.#start()));
      for (let end = 0; end < ends; end++) {
        await new Promise((resolve) => setTimeout(resolve, everyMs));
        if (end % 2 === 0) {
          const victim = this.#one(this.#random(4) > 0 ? "owner" : "guest");
          if (victim.role === "owner") ownersKilled += 1;
          killed += 1;
          await this.#kill(victim);
          await this.#start();
        } else {
          const old = this.#one(this.#random(2) === 0 ? "owner" : "guest");
          reloaded += 1;
          await this.#start();
          await this.#stop(old);
        }
        if (end % 50 === 49) say(`${end + 1} of ${ends} processes ended`);
      }
      await new Promise((resolve) => setTimeout(resolve, everyMs));
      await Promise.all(Array.from(this.#running, (running) => this.#stop(running)));
      const operations: Operation[] = [];
      for (let index = 0; index < this.#started; index++) {
        for (const one of readLog(this.#fileOf(index), index)) operations.push(one);
      }
      return { ...judge(operations), killed, ownersKilled, reloaded, said: this.#said };
    } finally {
      await Promise.all(Array.from(this.#running, (running) => this.#kill(running)));
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }
}

export const sharing: Proof<"processes" | "ends" | "every" | "keys" | "seed"> = {
  name: "sharing",
  about: "no process of those that share a directory reads what another has ended, whoever dies",
  options: { processes: 4, ends: 2000, every: 300, keys: 24, seed: 1 },
  async run({ processes, ends, every, keys, seed }, say) {
    const run = new SharingRun({ processes, ends, everyMs: every, keys, seed });
    const report = await run.run(say);
    const { told, said, operations, hits, awaited, killed, ownersKilled, reloaded } = report;
    hold(report.faults === 0, `--seed ${seed}: ${report.faults} stale\n${told.join("\n")}`);
    hold(
      said.length === 0,
      `--seed ${seed}: ${said.length} errors\n${said.slice(0, 10).join("\n")}`,
    );
    return (
      `${operations} operations, ${hits} hits, ${awaited} awaited changes, 0 stale, 0 errors; ` +
      `${killed} processes killed, ${ownersKilled} of them owners, ${reloaded} reloaded`
    );
  },
};
