// Threads of the pool outside of bundles: Piscina, which imports one of the package's worker files
// in each (workers/build/worker-files.mjs makes them). Both are found from this very file, so
// Piscina is loaded when a pool starts and not before: a bundle that holds this file has neither,
// and opening says so.
import { createRequire } from "node:module";
import type * as piscina from "piscina";
import { UndercroftError } from "../base/mod.js";
import {
  startError,
  type Threads,
  type ThreadsOptions,
  type WorkerFunction,
  youngGenerationMb,
} from "./threads.js";

/** Threads that run `name`. Throws ERR_WORKER if the worker files are not where the package has
 *  them. */
export function startThreads(name: WorkerFunction, options: ThreadsOptions): Threads {
  const { file, Piscina } = found(name);
  const choices = {
    filename: file,
    // With the name, Piscina's worker finds the task by require() when it starts. Without one it
    // looks for a default export, and then needs `new Function`, which a hardened process forbids.
    name,
    minThreads: options.min,
    maxThreads: options.max,
    idleTimeout: Infinity,
    maxQueue: options.queue,
    concurrentTasksPerWorker: 1,
    // The janitor runs from a timer after its task has returned, so Piscina must not block the
    // thread in Atomics.wait between tasks.
    atomics: "disabled",
    recordTiming: false,
    resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
  } as const;
  try {
    return new Piscina(choices);
  } catch (error) {
    throw startError(error);
  }
}

/** A worker file, and Piscina. The paths are written in full, behind the name `require`, so that
 *  what traces a program's files (Next's standalone output) finds them and all they import. */
function found(name: WorkerFunction): { file: string; Piscina: typeof piscina.Piscina } {
  try {
    // Throws where a bundler has left no URL, as in CommonJS.
    const require = createRequire(import.meta.url);
    const file =
      name === "startJanitor"
        ? require.resolve("../../workers/janitor-worker.js")
        : require.resolve("../../workers/store-worker.js");
    return { file, Piscina: (require("piscina") as typeof piscina).Piscina };
  } catch (cause) {
    const [why] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    throw new UndercroftError(
      "ERR_WORKER",
      `Cannot start a worker of the cache: ${why}; undercroft is probably part of a bundle that ` +
        'was built without the condition "module": mark the package external (esbuild: ' +
        "--external:undercroft; rollup and vite: external; webpack: externals; Next: " +
        "serverExternalPackages) and install it beside the bundle, or add " +
        '"module" to the conditions of the bundler',
      { cause },
    );
  }
}
