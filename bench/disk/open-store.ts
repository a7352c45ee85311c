// A process of the suite `disk-reopen`: fills a store, or opens one and answers how long that took;
// then closes it, or is killed. Forked by reopen.ts.
import { openStore, type StoreName, type StorePlan } from "./stores.js";

/** What to do. */
export interface OpenRequest extends StorePlan {
  readonly name: StoreName;
  readonly entries: number;
  readonly end: "closed" | "killed";
  readonly isFill: boolean;
}

/** Milliseconds until the first value was there, and how much of a sample is. */
export interface OpenAnswer {
  readonly ms: number;
  readonly found: number;
}

const sampled = 2000;

async function run(request: OpenRequest): Promise<void> {
  const { name, entries, size, end, isFill } = request;
  const start = performance.now();
  const store = await openStore(name, request);
  if (isFill) await store.write(0, entries);
  await store.read(0);
  const ms = performance.now() - start;
  let found = 0;
  for (let look = 0; look < sampled; look++) {
    const id = Math.floor((look * entries) / sampled);
    if ((await store.read(id)) === size) found++;
  }
  const answer: OpenAnswer = { ms, found: found / sampled };
  if (end === "closed") await store.close();
  process.send?.(answer, () => {
    if (end === "killed") process.kill(process.pid, "SIGKILL");
    else process.disconnect();
  });
}

process.once("message", (request) => void run(request as OpenRequest));
