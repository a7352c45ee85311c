// Runs one scenario under many schedules and checks after each that the guarantees hold. Called by
// interleave.ts, by mutants.ts and by the tests. A schedule is named by its scenario and a seed, or
// by its number in the exhaustive walk, and runs the same each time.

import { Actor } from "./actor.js";
import { versionOf } from "./entry-value.js";
import { Conflicts, type Fiber, Scheduler, type Step } from "./scheduler.js";
import type { InstrumentedKernel } from "./instrumented-kernel.js";
import type { Rooms } from "./rooms.js";
import type { Scenario } from "./scenario.js";
import { ExhaustiveStrategy, SeededStrategy, type Strategy } from "./strategy.js";
import { structureFault } from "./structure.js";
import { alone } from "./suspension.js";
import { linesOf } from "./trace.js";
import { World } from "./world.js";

/** Schedules that only find out which words the threads contend for. */
const learningSchedules = 256;

/** What one schedule showed. */
export interface Outcome {
  readonly fault: string | undefined;
  readonly asked: number;
}

/** What many schedules showed; the first fault ends them. */
export interface Report {
  readonly schedules: number;
  /** Whether the exhaustive walk came to its end. */
  readonly isComplete: boolean;
  readonly fault: string | undefined;
  /** The seed, or the number in the walk, of the faulty schedule. */
  readonly at: number;
}

export class Explorer {
  readonly scenario: Scenario;
  readonly #world: World;
  #conflicts: Conflicts;
  #length = 50;
  /** The largest number of steps in a schedule so far at which another thread could have run. */
  asked = 0;

  constructor(rooms: Rooms, instrumented: InstrumentedKernel, scenario: Scenario) {
    this.scenario = scenario;
    this.#world = new World(rooms, instrumented, scenario.world);
    const opener = this.#actor(0);
    if (scenario.setUp !== undefined) alone(scenario.setUp(opener));
    this.#world.keep();
    this.#conflicts = new Conflicts(this.#world.memory.buffer.byteLength);
    let asked = 0;
    for (let seed = 0; seed < learningSchedules; seed++) {
      // Their faults are found again below, where they have a name.
      asked = Math.max(asked, this.#run(new SeededStrategy(seed, 40)).asked);
    }
    this.#length = asked;
    this.#conflicts.freeze();
  }

  #actor(thread: number): Actor {
    const name = thread === 0 ? "opener" : `thread ${thread}`;
    return new Actor(this.#world, this.#world.threads[thread] as World["threads"][number], name);
  }

  /** Runs the schedule of a seed; `trace` is filled with its steps. */
  seeded(seed: number, trace?: Step[]): Outcome {
    return this.#run(new SeededStrategy(seed, this.#length), trace);
  }

  /** Runs the schedules of `count` seeds. */
  draw(from: number, count: number): Report {
    for (let seed = from; seed < from + count; seed++) {
      const { fault } = this.seeded(seed);
      if (fault !== undefined) {
        return { schedules: seed - from + 1, isComplete: true, fault, at: seed };
      }
    }
    return { schedules: count, isComplete: true, fault: undefined, at: -1 };
  }

  /** Walks at most `limit` schedules of at most `bound` preemptions. `only` runs one of them again,
   *  with its trace. */
  walk(
    bound: number,
    limit: number,
    only?: { readonly number: number; readonly trace: Step[] },
  ): Report {
    const strategy = new ExhaustiveStrategy(bound);
    for (let schedule = 0; schedule < limit; schedule++) {
      const trace = only?.number === schedule ? only.trace : undefined;
      const { fault } = this.#run(strategy, trace);
      if (fault !== undefined) {
        return { schedules: schedule + 1, isComplete: false, fault, at: schedule };
      }
      if (!strategy.next()) {
        return { schedules: schedule + 1, isComplete: true, fault: undefined, at: -1 };
      }
    }
    return { schedules: limit, isComplete: false, fault: undefined, at: -1 };
  }

  /** Steps in words. */
  trace(steps: readonly Step[]): string[] {
    return linesOf(this.#world, steps);
  }

  #run(strategy: Strategy, trace?: Step[]): Outcome {
    const world = this.#world;
    world.reset();
    const { scenario } = this;
    const opener = this.#actor(0);
    const { dead } = world;
    const count = scenario.world.threads - 1;
    const actors = Array.from({ length: count }, (_, index) => this.#actor(index + 1));
    const scripts = scenario.scripts(actors);
    const fibers = scripts.map((script, index): Fiber => {
      const isMortal = scenario.mortal?.includes(index) ?? false;
      const isHasty = scenario.hasty?.includes(index) ?? false;
      return { name: `thread ${index + 1}`, script, isMortal, isHasty, state: "ready" };
    });
    const onDeath = (fiber: Fiber): Fiber => {
      const thread = fibers.indexOf(fiber) + 1;
      dead.add(thread);
      return { name: "opener", script: opener.recover(thread), isMortal: false, state: "ready" };
    };
    const { buffer } = world.memory;
    const scheduler = new Scheduler(buffer, strategy, this.#conflicts, onDeath, trace);
    let fault: string | undefined;
    try {
      scheduler.run(fibers);
      fault = this.#judge(opener, dead);
    } catch (error) {
      fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
    this.asked = Math.max(this.asked, scheduler.asked);
    return { fault, asked: scheduler.asked };
  }

  #judge(opener: Actor, dead: ReadonlySet<number>): string | undefined {
    const world = this.#world;
    const unlocked = world.threads.reduce((sum, thread) => sum + thread.unlocked, 0);
    const excuses = {
      dead,
      hasDisturbed: dead.size > 0 || unlocked > 0,
      hasCleared: this.scenario.clears === true,
    };
    let fault = structureFault(world, { ...excuses, isUnswept: dead.size > 0 });
    if (fault === undefined && dead.size > 0) {
      alone(opener.sweep());
      fault = structureFault(world, excuses);
    }
    if (fault !== undefined) return fault;
    for (const key of this.scenario.keys) alone(opener.get(key, false));
    fault = world.history.fault() ?? this.#reopenedFault();
    if (fault !== undefined || this.scenario.leavesNothing !== true) return fault;
    alone(opener.evictAll());
    fault = structureFault(world, { ...excuses, isEvicted: true });
    return fault === undefined ? undefined : `after an eviction: ${fault}`;
  }

  /** What the next session would find on disk must not be older than what had returned. */
  #reopenedFault(): string | undefined {
    const { tags } = (this.#world.threads[0] as World["threads"][number]).kernel;
    for (const [key, bytes] of this.#world.disk.survivors()) {
      const reader = new this.#world.rooms.record.RecordReader(0, 0);
      reader.adopt(bytes);
      reader.parse(0);
      // The directory mirrors the tag table.
      const field = reader.tagsField();
      if (field.length > 0 && tags.areInvalidated(field, reader.sequence)) continue;
      const version = versionOf(key, bytes.subarray(reader.valueStart, reader.valueEnd));
      const fault = this.#world.history.faultOf(key, version);
      if (fault !== undefined) return `after a reopen: ${fault}`;
    }
    return undefined;
  }
}
