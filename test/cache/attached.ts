// Workers that attach to a cache and call its methods on request. They end after each test.

import { Worker, type WorkerOptions } from "node:worker_threads";
import { afterEach } from "vitest";
import type { Cache } from "../../dist/src/mod.js";

const threads = new Set<Thread>();

interface Answer {
  readonly id: number;
  readonly value: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/**
 * Call it once in a test file, after setUpCaches: hooks run in reverse order, so threads end before
 * their caches.
 */
export function setUpThreads(): void {
  afterEach(async () => {
    await Promise.all(Array.from(threads, (thread) => thread.worker.terminate()));
    threads.clear();
  });
}

/** A thread that runs attached-thread.mjs. */
export class Thread {
  readonly worker: Worker;
  readonly exited: Promise<number>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #calls = 0;

  constructor(workerData: unknown, options: WorkerOptions = {}) {
    const file = new URL("attached-thread.mjs", import.meta.url);
    this.worker = new Worker(file, { ...options, workerData });
    this.exited = new Promise((resolve) => this.worker.once("exit", resolve));
    // Some throw or run out of memory on purpose.
    this.worker.on("error", () => undefined);
    this.worker.on("message", (answer: Answer) => {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
    threads.add(this);
  }

  /** Calls a method there. */
  async call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    const id = this.#calls++;
    const answered = new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
    });
    this.worker.postMessage({ id, method, args });
    const died = this.exited.then((code) => ({ id, value: `exited with ${code}` }) as Answer);
    const { value, error } = await Promise.race([answered, died]);
    if (error !== undefined) throw Object.assign(new Error(error.message), { code: error.code });
    return value;
  }
}

export function attached(cache: Cache): Thread {
  return new Thread({ handle: cache.handle() });
}
