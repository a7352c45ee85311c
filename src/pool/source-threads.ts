// Threads of the pool in bundles, where neither the package's worker files nor Piscina's own can be
// found: each runs a text that is part of this package. Also what Piscina does for file-threads.ts:
// one task a thread at a time, the rest in a queue, a thread only when a task wants one.
// Invariants: a task settles once, whatever becomes of its thread; a thread keeps the process alive
// only while it has a task.
import { EventEmitter } from "node:events";
import { Worker } from "node:worker_threads";
import type { JobAnswer, JobRequest } from "./pool-messages.js";
import {
  type RunOptions,
  startError,
  type Threads,
  type ThreadsOptions,
  type WorkerFunction,
  youngGenerationMb,
} from "./threads.js";
import { workerSource } from "./worker-source.js";

interface Job extends RunOptions {
  readonly task: object;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

interface Thread {
  readonly worker: Worker;
  job: Job | undefined;
  /** Its worker threw and has not exited yet. */
  isEnding: boolean;
}

/** Threads that run `name`. */
export function startThreads(name: WorkerFunction, options: ThreadsOptions): Threads {
  return new SourceThreads(workerSource(), name, options);
}

function isIdle({ job, isEnding }: Thread): boolean {
  return job === undefined && !isEnding;
}

export class SourceThreads implements Threads {
  readonly #source: string;
  readonly #name: WorkerFunction;
  readonly #options: ThreadsOptions;
  readonly #events = new EventEmitter();
  readonly #queue: Job[] = [];
  #threads: Thread[] = [];
  #isOver = false;

  constructor(source: string, name: WorkerFunction, options: ThreadsOptions) {
    this.#source = source;
    this.#name = name;
    this.#options = options;
  }

  get threads(): readonly Worker[] {
    return this.#threads.map(({ worker }) => worker);
  }

  get queueSize(): number {
    return this.#queue.length;
  }

  on(event: "error" | "workerCreate", listener: (error: unknown) => void): void {
    this.#events.on(event, listener);
  }

  run(task: object, options: RunOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) {
        reject(new Error("the threads have ended"));
        return;
      }
      this.#queue.push({ ...options, task, resolve, reject });
      this.#serve();
      // A task that no thread took at once waits, and only so many may.
      if (this.#queue.length > this.#options.queue) {
        this.#queue.pop()?.reject(new Error(`${this.#options.queue} tasks are waiting`));
      }
    });
  }

  #serve(): void {
    while (this.#queue.length > 0) {
      const idle = this.#threads.find(isIdle);
      if (idle === undefined && this.#threads.length >= this.#options.max) return;
      const job = this.#queue.shift() as Job;
      try {
        this.#give(job, idle ?? this.#start());
      } catch (error) {
        job.reject(startError(error));
      }
    }
  }

  /** Throws if the task cannot be posted; the thread is idle then. */
  #give(job: Job, thread: Thread): void {
    const request: JobRequest = { name: this.#name, task: job.task };
    thread.worker.postMessage(request, job.transferList);
    thread.job = job;
    thread.worker.ref();
  }

  /** Throws where no worker may be started. */
  #start(): Thread {
    const worker = new Worker(this.#source, {
      eval: true,
      name: this.#name,
      resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
    });
    const thread: Thread = { worker, job: undefined, isEnding: false };
    this.#threads.push(thread);
    worker.on("message", (answer: JobAnswer) => {
      this.#end(thread, (job) => {
        if (answer.isRejected) job.reject(answer.error);
        else job.resolve(answer.value);
      });
    });
    worker.on("error", (error) => {
      thread.isEnding = true;
      if (thread.job === undefined) this.#events.emit("error", error);
      else thread.job.reject(error);
    });
    worker.on("exit", (code) => {
      this.#threads = this.#threads.filter((other) => other !== thread);
      this.#end(thread, (job) => job.reject(new Error(`the thread exited with ${code}`)));
    });
    // Last, since a listener for messages makes the worker keep the process alive again.
    worker.unref();
    this.#events.emit("workerCreate");
    return thread;
  }

  #end(thread: Thread, settle: (job: Job) => void): void {
    const { job } = thread;
    thread.job = undefined;
    thread.worker.unref();
    if (job !== undefined) settle(job);
    this.#serve();
  }

  async destroy(): Promise<void> {
    this.#isOver = true;
    for (const job of this.#queue.splice(0)) job.reject(new Error("the threads have ended"));
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}
