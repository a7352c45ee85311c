// Single fetches with one loader of many keys: which of them one call loads.

import { expect, test } from "vitest";
import type { ManyLoader } from "../../dist/src/fetch/gather/load-batch.js";
import { batchKeysMax } from "../../dist/src/fetch/gather/load-batch.js";
import { LoadGatherer } from "../../dist/src/fetch/gather/load-gatherer.js";
import type { Key, Loader } from "../../dist/src/mod.js";
import { open, setUpCaches } from "../cache/opened.js";
import { expectIdle, fetch, reading, setUpFetching, store, turn } from "./fetching.js";
import type { Value } from "./map-parts.js";

/** The loader of single fetches of a function; the same for the same one, as a key space has it. */
const gatherers = new Map<ManyLoader<Value>, LoadGatherer<Value, Key>>();
function gatheredBy(loadMany: ManyLoader<Value>): Loader<Value> {
  const gatherer = gatherers.get(loadMany) ?? new LoadGatherer(loadMany, (key: Key) => key);
  gatherers.set(loadMany, gatherer);
  return gatherer.load;
}

setUpFetching();
setUpCaches();

function gathered(answer: (key: string) => Value = (key) => ({ text: key }) as unknown as Value) {
  const calls: string[][] = [];
  const loadMany: ManyLoader<Value> = async ({ keys }) => {
    calls.push(keys.map(String));
    return keys.map((key) => [key, answer(String(key))]);
  };
  return { calls, loadMany };
}

test("those that miss in one turn of the event loop are loaded by one call", async () => {
  const { calls, loadMany } = gathered();
  const load = gatheredBy(loadMany);
  const first = [fetch("a", load), fetch("b", load)];
  // From another callback of the same turn.
  const second = Promise.resolve().then(() => fetch("c", gatheredBy(loadMany)));
  await Promise.all([...first, second]);
  expect(calls).toEqual([["a", "b", "c"]]);
  await Promise.all([fetch("a", load), fetch("d", load)]);
  expect(calls).toEqual([["a", "b", "c"], ["d"]]);
  expectIdle();
});

test("other loaders, and other turns, are other calls", async () => {
  const [one, other] = [gathered(), gathered()];
  const fetches = [fetch("a", gatheredBy(one.loadMany))];
  fetches.push(fetch("b", gatheredBy(other.loadMany)));
  await turn();
  fetches.push(fetch("c", gatheredBy(one.loadMany)));
  await Promise.all(fetches);
  expect(one.calls).toEqual([["a"], ["c"]]);
  expect(other.calls).toEqual([["b"]]);
});

test("a key that was written meanwhile is asked for once, for both loads", async () => {
  const { calls, loadMany } = gathered();
  const load = gatheredBy(loadMany);
  const before = fetch("a", load);
  store.set("a", { text: "set" } as unknown as Value, { ttl: 1000, staleFor: 0 });
  reading.forget("a");
  const after = fetch("a", load, { forceRefresh: true });
  await Promise.all([before, after]);
  expect(calls).toEqual([["a"]]);
});

test("a call has a bounded number of keys", async () => {
  const cache = await open<number>({ memory: "128mb" });
  const calls: number[] = [];
  const keys = Array.from({ length: batchKeysMax + 5 }, (_, index) => `key-${index}`);
  const found = await cache.fetchMany(keys, (context) => {
    calls.push(context.keys.length);
    return context.keys.map((key) => [key, 1] as const);
  });
  expect(found.size).toBe(keys.length);
  expect(calls).toEqual([batchKeysMax, 5]);
});
