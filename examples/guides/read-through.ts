// Loading on a miss, by part of docs/guides/read-through.md. The clock is moved by hand, so that
// nothing waits for an expiry.
import { setTimeout as sleep } from "node:timers/promises";

import { entry, ManualClock, openCache, UndercroftError } from "undercroft";

const clock = new ManualClock();
const cache = await openCache({ memory: "16mb", clock, ttl: "10m" });

/** The source. `version` counts its changes. */
let version = 1;
const loadUser = async (id: number): Promise<string> => `user ${id}, version ${version}`;

// fetch
const first = await cache.fetch("user:7", () => loadUser(7), { ttl: "5m", tags: ["users"] });
const second = await cache.fetch("user:7", () => loadUser(7)); // a hit: no load
console.log(first === second, cache.stats().loads); // true 1

const burst = await Promise.all(
  Array.from({ length: 100 }, () => cache.fetch("user:8", () => loadUser(8))),
);
console.log(new Set(burst).size, cache.stats().loads); // 1 2

// wrap
const userOf = cache.wrap(loadUser, { key: (id) => `user:${id}`, ttl: "5m" });
console.log(await userOf(7)); // user 7, version 1

// entry
const signIn = async () => ({ token: "secret", expiresInMs: 3_600_000 });
const token = await cache.fetch("token", async () => {
  const answer = await signIn();
  return entry(answer.token, { ttl: answer.expiresInMs - 60_000, tags: ["session"] });
});
console.log(token); // secret

// staleFor
const stale = { ttl: "1m", staleFor: "1h" };
await cache.fetch("price", () => loadUser(1), stale);
version = 2;
clock.advance(90_000); // past the ttl, within staleFor
console.log(await cache.fetch("price", () => loadUser(1), stale)); // user 1, version 1
while (cache.getSync("price") === undefined) await sleep(1); // it is loaded in the background
console.log(await cache.fetch("price", () => loadUser(1), stale)); // user 1, version 2

// negativeTtl
let asked = 0;
const findNobody = async (): Promise<string | undefined> => {
  asked += 1;
  return undefined; // the source has none
};
await cache.fetch("user:404", findNobody, { negativeTtl: "30s" });
await cache.fetch("user:404", findNobody, { negativeTtl: "30s" });
console.log(asked, cache.has("user:404")); // 1 false
cache.set("user:404", "somebody"); // ends what is remembered, in every thread
console.log(await cache.fetch("user:404", findNobody)); // somebody

// timeout
const hangs = (signal: AbortSignal): Promise<string> =>
  sleep(60_000, "late", { signal, ref: false });
try {
  await cache.fetch("slow", ({ signal }) => hangs(signal), { timeout: "50ms" });
} catch (error) {
  console.log(error instanceof UndercroftError && error.code); // ERR_LOADER_TIMEOUT
}

// forceRefresh
version = 3;
const forced = await cache.fetch("user:7", () => loadUser(7), { forceRefresh: true });
console.log(forced); // user 7, version 3

// signal
const caller = new AbortController();
const waiting = cache.fetch("slow", ({ signal }) => hangs(signal), { signal: caller.signal });
caller.abort(new Error("the client has gone"));
console.log(await waiting.catch((error: Error) => error.message)); // the client has gone

// errors
const failing = (): Promise<string> => Promise.reject(new Error("the database is down"));
const failed = await Promise.allSettled([cache.fetch("b", failing), cache.fetch("b", failing)]);
console.log(failed.map(({ status }) => status).join()); // rejected,rejected

// cycle
const ring: Promise<string> = cache.fetch("a", async (): Promise<string> => {
  return cache.fetch("a", () => "never"); // its own key: it would wait for itself
});
console.log(await ring.catch((error: UndercroftError) => error.code)); // ERR_LOADER_CYCLE

// the end
await cache.close();
