// The workers of a bundle, whose threads have no files to import: workers/build/worker-source.mjs
// makes one text of this file and all that it imports (src/pool/source-threads.ts). One task at a
// time.
import { parentPort } from "node:worker_threads";
import { carry } from "../src/base/mod.js";
import { startJanitor } from "../src/janitor/mod.js";
import { type JobAnswer, type JobRequest, storeValue } from "../src/pool/mod.js";

// It would keep the memory of other caches after they are closed.
carry([]);

const functions = { startJanitor, storeValue };

parentPort?.on("message", (request: JobRequest) => {
  void run(request).then((answer) => parentPort?.postMessage(answer));
});

async function run({ name, task }: JobRequest): Promise<JobAnswer> {
  try {
    return { isRejected: false, value: await functions[name](task as never) };
  } catch (error) {
    return { isRejected: true, error };
  }
}
