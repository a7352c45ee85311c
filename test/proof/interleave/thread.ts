// One thread of a cache as the interleaver runs it: its own kernel over the common memory, whose
// verbs are coroutines. Called by world.ts. The kernel's class is the real one; its verbs are those
// of the instrumented module.

import type { ControlBlock, Kernel, KernelVerbs } from "../../../src/kernel/mod.js";
import type { InstrumentedKernel } from "./instrumented-kernel.js";
import type { Rooms } from "./rooms.js";
import { type Coroutine, running } from "./suspension.js";

/** The same methods, as coroutines. */
export type Stepped<Object_> = {
  [Name in keyof Object_]: Object_[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Coroutine<Result>
    : Object_[Name];
};

/** Bytes for the stack of a kernel that has stopped. */
export const stackBytes = 16_384;

interface AsyncifyExports {
  readonly asyncify_start_unwind: (stack: number) => void;
  readonly asyncify_stop_unwind: () => void;
  readonly asyncify_start_rewind: (stack: number) => void;
  readonly asyncify_stop_rewind: () => void;
  readonly [name: string]: unknown;
}

/** What the threads of a world have in common. */
interface CommonWorld {
  readonly rooms: Rooms;
  readonly memory: WebAssembly.Memory;
  readonly dead: ReadonlySet<number>;
}

interface MutableGlobal {
  value: number | bigint;
}

export class SteppedThread {
  readonly kernel: Kernel;
  readonly verbs: Stepped<KernelVerbs>;
  /** The kernel's, whose methods are coroutines. */
  readonly control: Stepped<ControlBlock>;
  readonly #globals: MutableGlobal[] = [];
  readonly #start: (number | bigint)[];
  readonly #exports: AsyncifyExports;
  readonly #stack: number;
  readonly #words: Int32Array;
  readonly #pending: number;
  readonly #block: number;
  readonly #blockEnd: number;
  /** Slots emptied without their lock. */
  unlocked = 0;
  #state: "running" | "stopping" | "resuming" = "running";

  constructor(
    world: CommonWorld,
    instrumented: InstrumentedKernel,
    plain: WebAssembly.Module,
    stepping: WebAssembly.Module,
    stack: number,
  ) {
    const { rooms, memory, dead } = world;
    const at = rooms.layout;
    this.kernel = rooms.kernel.Kernel.attach(plain, memory);
    this.control = this.kernel.control as unknown as Stepped<ControlBlock>;
    this.#stack = stack;
    this.#words = new Int32Array(memory.buffer);
    this.#block = this.kernel.block;
    this.#blockEnd = this.#block + at.threadBlockSize;
    this.#pending = this.#block + at.threadTombstoneSegment0;
    const sites = instrumented.sites.map(({ operation }, site) => `${operation}#${site}`);
    const step = (address: number, site: number): number => {
      if (this.#state === "resuming") return this.#resumed(address);
      const { offset, bytes, isWrite } = instrumented.sites[site] as {
        offset: number;
        bytes: number;
        isWrite: boolean;
      };
      const start = (address >>> 0) + offset;
      // No other thread uses the thread's own block, except the words that announce a tombstone,
      // and the one that names the value it writes.
      if (start >= this.#block && start < this.#blockEnd) {
        const isPending = start >= this.#pending && start < this.#pending + 8;
        if (!isPending && start !== this.#block + at.threadLargeWrite) return address;
      }
      if (running().access(start, bytes, isWrite, sites[site] as string)) this.#stop();
      return address;
    };
    const wait = (): number => {
      if (this.#state === "resuming") return this.#resumed(2);
      if (running().giveWay(false)) this.#stop();
      return 2;
    };
    // In place of the system's proof that the lock owner is dead.
    const plainVerbs = this.kernel.verbs;
    const isLockOwnerDead = (lockWord: number): number => {
      if (!dead.has((lockWord & 255) - 1)) return 0;
      plainVerbs.releaseLocks(lockWord);
      return 1;
    };
    const env = { memory, step, wait, isLockOwnerDead };
    const instance = new WebAssembly.Instance(stepping, { env });
    this.#exports = instance.exports as unknown as AsyncifyExports;
    (this.#exports["attach"] as (thread: number) => void)(this.kernel.thread);
    for (let index = 0; index < instrumented.globals; index++) {
      this.#globals.push(this.#exports[`global:${index}`] as MutableGlobal);
    }
    this.#start = this.#globals.map(({ value }) => value);
    this.verbs = this.#coroutines();
    Object.defineProperty(this.kernel, "verbs", { value: this.verbs });
  }

  /** As when it was attached. */
  reset(): void {
    for (const [index, global] of this.#globals.entries()) {
      global.value = this.#start[index] as number | bigint;
    }
    this.#state = "running";
    this.unlocked = 0;
  }

  /** From here on a schedule begins in the present state. */
  keep(): void {
    for (const [index, global] of this.#globals.entries()) this.#start[index] = global.value;
  }

  #stop(): void {
    this.#words[this.#stack / 4] = this.#stack + 8;
    this.#words[this.#stack / 4 + 1] = this.#stack + stackBytes;
    this.#exports.asyncify_start_unwind(this.#stack);
    this.#state = "stopping";
  }

  #resumed(answer: number): number {
    this.#exports.asyncify_stop_rewind();
    this.#state = "running";
    return answer;
  }

  #coroutines(): Stepped<KernelVerbs> {
    const verbs: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(this.#exports)) {
      if (typeof value !== "function" || name.startsWith("asyncify")) continue;
      const verb = value as (...args: number[]) => number;
      const call = (...args: number[]): Coroutine<number> => this.#call(verb, args);
      verbs[name] =
        name === "evictUnlocked" ? (...args: number[]) => this.#noted(call(...args)) : call;
    }
    return verbs as unknown as Stepped<KernelVerbs>;
  }

  *#noted(call: Coroutine<number>): Coroutine<number> {
    this.unlocked += 1;
    return yield* call;
  }

  *#call(verb: (...args: number[]) => number, args: number[]): Coroutine<number> {
    let answer = verb(...args);
    while (this.#state === "stopping") {
      this.#exports.asyncify_stop_unwind();
      yield undefined;
      this.#exports.asyncify_start_rewind(this.#stack);
      this.#state = "resuming";
      answer = verb(...args);
    }
    return answer;
  }
}
