// Whether a value is still good, beside its ttl, by part of docs/guides/freshness.md. The clock is
// moved by hand.
import { setTimeout as sleep } from "node:timers/promises";

import { entry, ManualClock, openCache, unchanged } from "undercroft";

interface Agent {
  readonly prompt: string;
  readonly etag: string;
}

const clock = new ManualClock();
const cache = await openCache<Agent>({ memory: "16mb", clock, ttl: "10m" });

/** The source. */
let agent: Agent = { prompt: "old", etag: "1" };
const loadAgent = async (): Promise<Agent> => agent;

// isValid
let prompt = "old";
const isValid = (cached: Agent): boolean => cached.prompt === prompt;
await cache.fetch("helper", loadAgent, { isValid });
prompt = "new"; // what is cached does not fit any more
agent = { prompt: "new", etag: "2" };
const fitting = await cache.fetch("helper", loadAgent, { isValid });
console.log(fitting.prompt, cache.stats().invalid); // new 1

// refreshAfter
agent = { prompt: "newest", etag: "3" };
clock.advance(60_000); // a minute of ten
const atOnce = await cache.fetch("helper", loadAgent, { refreshAfter: "30s" });
console.log(atOnce.prompt); // new
while (cache.getSync("helper")?.prompt !== "newest") await sleep(1); // loads in the background
console.log((await cache.fetch("helper", loadAgent)).prompt); // newest

// unchanged
/** Answers nothing, as with 304, if the caller has the newest already. */
const ask = async (etag: string | undefined): Promise<Agent | null> =>
  etag === agent.etag ? null : agent;
const renewed = await cache.fetch(
  "helper",
  async ({ stale }) => (await ask(stale?.etag)) ?? entry(unchanged, { ttl: "1h" }),
  { forceRefresh: true },
);
console.log(renewed.prompt); // newest

// getOrFetch
const hit = cache.getOrFetch("helper", loadAgent); // in memory: the value itself
console.log(hit instanceof Promise, (await hit).etag); // false 3

// the end
await cache.close();
