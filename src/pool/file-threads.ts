// Threads of the pool outside of bundles: Piscina, which imports one of the package's worker files
// in each. Both are found from this very file, so Piscina is loaded when a pool starts and not
// before: a bundle that holds this file has neither, and opening says so.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import type * as piscina from "piscina";
import { isAccessDenied, runtimeError, UndercroftError } from "../base/mod.js";
import {
  type Threads,
  type ThreadsOptions,
  type WorkerFunction,
  youngGenerationMb,
} from "./threads.js";

const files: Readonly<Record<WorkerFunction, string>> = {
  startJanitor: "../../workers/janitor-worker.js",
  storeValue: "../../workers/store-worker.js",
};

/** Threads that run `name`. Throws ERR_WORKER if the worker files are not where the package has
 *  them. */
export function startThreads(name: WorkerFunction, options: ThreadsOptions): Threads {
  const here = import.meta.url as string | undefined;
  // A bundler that writes CommonJS leaves no URL.
  const file = here === undefined ? undefined : new URL(files[name], here);
  if (here === undefined || file === undefined || !existsSync(file)) throw bundled(file);
  const { Piscina } = createRequire(here)("piscina") as typeof piscina;
  const choices = {
    filename: file.href,
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
    if (!isAccessDenied(error)) throw error;
    const fault = "its workers need --allow-worker under Node's permission model";
    throw runtimeError(fault, "allow them", { cause: error });
  }
}

function bundled(file: URL | undefined): UndercroftError {
  return new UndercroftError(
    "ERR_WORKER",
    `Cannot start a worker of the cache: its file ${file?.href ?? ""} is not there, so undercroft ` +
      `is probably part of a bundle that was built without the condition "module"; mark the ` +
      `package external (esbuild: --external:undercroft; rollup, webpack: external: ` +
      `["undercroft"]; Next: serverExternalPackages: ["undercroft"]) and install it beside the ` +
      `bundle, or add "module" to the bundler's resolve conditions`,
  );
}
