// One thread of the service: it answers messages at a fixed rate, whether the answers keep up or
// not, and reports what it saw. Started by service.ts.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { CacheHandle } from "undercroft";

import { randomFrom, zipf } from "./chance.js";
import { type LookupReport, Lookups } from "./lookups.js";
import { attachPatternCache } from "./pattern-cache.js";
import { Platform } from "./platform.js";
import { agentTypes, Records } from "./records.js";
import { Remote } from "./remote.js";
import type { Settings } from "./settings.js";
import { UnderWay } from "./under-way.js";
import { Versions } from "./versions.js";

export interface ThreadData {
  readonly settings: Settings;
  readonly seed: number;
  readonly seconds: number;
  readonly database: string;
  readonly port: number;
  readonly handle: CacheHandle | null;
  readonly versions: Versions["memory"];
}
export interface ThreadReport {
  readonly messages: number;
  readonly errors: string[];
  readonly recordReads: number;
  readonly lookups: LookupReport;
  readonly loopDelayMs: number;
}

/** More messages than these do not wait at once: the thread is overrun, and its rate falls. */
const underWayMax = 200;
/** The first of them pay for compilation, and are not measured. */
const settleMs = 500;

const data = workerData as ThreadData;
const records = await Records.open(data.database);
const versions = new Versions(data.versions);
const remote = new Remote(data.port);
const sources = { records, remote, versions, loaded: () => undefined };
const cache = data.handle === null ? null : attachPatternCache(data.handle, sources);
const { users } = data.settings;
const lookups = new Lookups(versions, data.settings.activeUsers);
const random = randomFrom(data.seed);
const platform = new Platform({ sources, cache, lookups, random, users });
const userOf = zipf(users, 1.2);
const delay = monitorEventLoopDelay({ resolution: 5 });
const underWay = new UnderWay(underWayMax);

delay.enable();
await answerFor(settleMs);
const staleAtFirst = lookups.take().stale;
delay.reset();
const readsBefore = records.reads;
parentPort?.postMessage("measuring");
const messages = await answerFor(data.seconds * 1000);
await underWay.ended();
delay.disable();
const seen = lookups.take();
parentPort?.postMessage({
  messages,
  errors: underWay.takeErrors(),
  recordReads: records.reads - readsBefore,
  lookups: { ...seen, stale: [...staleAtFirst, ...seen.stale] },
  loopDelayMs: delay.percentile(99) / 1e6,
} satisfies ThreadReport);
await cache?.cache.close();
records.close();

/** Begins messages at the rate of the settings; resolves to how many. */
async function answerFor(ms: number): Promise<number> {
  const start = performance.now();
  let begun = 0;
  for (let passed = 0; passed < ms; passed = performance.now() - start) {
    const due = (passed * data.settings.rate) / 1000;
    for (; begun < due && underWay.hasRoom; begun++) answer();
    await sleep(2);
  }
  return begun;
}

function answer(): void {
  const type = agentTypes[Math.floor(random() * random() * agentTypes.length)] as string;
  underWay.add(platform.message(userOf(random()), type));
}
