// One process of the platform: it opens the cache, or does without, answers messages at a fixed
// rate until it is told to stop, and tells what it saw four times a second. Started by many.ts.
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@redis/client";
import { redisTier } from "undercroft/redis";

import { randomFrom, zipf } from "./chance.js";
import type { Sources } from "./loaders.js";
import { kinds, type LookupKind, type LookupReport, Lookups } from "./lookups.js";
import { openPatternCache, warm } from "./pattern-cache.js";
import { Platform } from "./platform.js";
import { agentTypes } from "./records.js";
import { Remote } from "./remote.js";
import type { Settings } from "./settings.js";
import { recordsAt } from "./record-server.js";
import { type Settled, SharedVersions } from "./shared-versions.js";
import { UnderWay } from "./under-way.js";

export interface Instance {
  readonly settings: Settings;
  readonly column: number;
  readonly versions: string;
  readonly port: number;
  readonly recordsPort: number;
  /** Null: without a cache. */
  readonly directory: string | null;
  /** Null: processes share the directory. */
  readonly redis: string | null;
  readonly warms: boolean;
}

export interface Sample {
  readonly messages: number;
  readonly retries: number;
  readonly lookups: LookupReport;
  readonly loads: Readonly<Record<LookupKind, number>>;
  readonly errors: readonly string[];
}
export type Told =
  { readonly ready: string } | { readonly sample: Sample } | { readonly settled: Settled };

const sampleMs = 250;
/** More messages than these do not wait at once: the process is overrun, and its rate falls. */
const underWayMax = 100;

const given = JSON.parse(process.argv[2] ?? "") as Instance;
const { settings } = given;
const tell = (told: Told): void => void process.send?.(told);
const records = recordsAt(given.recordsPort);
const versions = new SharedVersions(given.versions, given.column, (settled) => tell({ settled }));
let loads = noLoads();
const sources: Sources = {
  records,
  remote: new Remote(given.port),
  versions,
  loaded: (kind, keys) => void (loads[kind] += keys),
};
const client = given.redis === null ? null : await connect(given.redis);
const cache = given.directory === null ? null : await open(given.directory);
if (cache !== null && given.warms) {
  await warm(
    cache,
    sources,
    Array.from({ length: settings.users }, (_, user) => user),
  );
  await cache.cache.flush();
}
loads = noLoads();

const lookups = new Lookups(versions, settings.users);
const random = randomFrom(given.column);
const parts = { sources, cache, lookups, random, users: settings.users };
const platform = new Platform({ ...parts, isShared: true });
const userOf = zipf(settings.users, 1.2);
const underWay = new UnderWay(underWayMax);
let messages = 0;
let isStopped = false;

process.once("message", () => (isStopped = true));
tell({ ready: cache?.cache.stats().processes?.role ?? (client === null ? "alone" : "host") });
const reporting = setInterval(report, sampleMs);
await answerUntilStopped();
await underWay.ended();
clearInterval(reporting);
report();
await cache?.cache.close();
client?.destroy();
versions.close();
process.disconnect();

async function connect(url: string) {
  const connected = createClient({ url });
  connected.on("error", (error: Error) => console.error(error.message));
  await connected.connect();
  return connected;
}

function open(directory: string) {
  if (client === null) return openPatternCache({ directory, isShared: true }, sources);
  return openPatternCache({ directory, tier: redisTier(client, { prefix: "agents" }) }, sources);
}

async function answerUntilStopped(): Promise<void> {
  const start = performance.now();
  for (let due = 0; !isStopped; await sleep(5)) {
    const begun = ((performance.now() - start) * settings.rate) / 1000;
    for (; due < begun; due++) if (underWay.hasRoom) answer();
  }
}

function answer(): void {
  messages++;
  const type = agentTypes[Math.floor(random() * random() * agentTypes.length)] as string;
  underWay.add(platform.message(userOf(random()), type));
}

function report(): void {
  const errors = underWay.takeErrors();
  const seen = { messages, loads, errors, retries: platform.retries };
  tell({ sample: { ...seen, lookups: lookups.take() } });
  platform.retries = 0;
  loads = noLoads();
  messages = 0;
}

function noLoads(): Record<LookupKind, number> {
  return Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<LookupKind, number>;
}
