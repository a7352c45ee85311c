// Compression dictionaries in whole caches: the janitor learns one, every thread uses it, and the
// sessions of a directory share it. If it is lost, its values are misses, never other values.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { attachCache, type Cache } from "../../dist/src/mod.js";
import { diskAt, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

/** Longer than a janitor takes to learn a dictionary. */
const learnMsMax = 60_000;

interface Note {
  readonly id: number;
  readonly text: string;
  readonly state: string;
  readonly at: number;
}

const states = ["waiting for payment", "on its way to the customer", "delivered and paid"];

function noteOf(id: number): Note {
  return {
    id,
    text: `Note on the order of the registered customer with number ${id * 7919}`,
    state: states[id % 3] as string,
    at: 1_750_000_000_000 + id * 1000,
  };
}

async function sizeOf(cache: Cache<Note>, id: number): Promise<number> {
  return (await cache.getEntry(`note-${id}`))?.size ?? 0;
}

/** Sets notes until a new one is as small as a dictionary makes it; returns the next id. */
async function learn(cache: Cache<Note>, from: number): Promise<number> {
  const deadline = Date.now() + learnMsMax;
  let id = from;
  cache.set(`note-${id}`, noteOf(id));
  while ((await sizeOf(cache, id)) > 100) {
    expect(Date.now()).toBeLessThan(deadline);
    for (const end = id + 500; id < end;) {
      id += 1;
      cache.set(`note-${id}`, noteOf(id));
    }
    await sleep(5);
  }
  return id + 1;
}

test("similar values take fewer bytes once a dictionary is learned, in every thread", async () => {
  const cache = (await open({ near: false, memory: "1mb" })) as Cache<Note>;
  cache.set("note-0", noteOf(0));
  const before = await sizeOf(cache, 0);
  const next = await learn(cache, 1);
  expect(await sizeOf(cache, next - 1)).toBeLessThan(before * 0.6);
  const other = attachCache<Note>(cache.handle());
  for (let id = next; id < next + 200; id++) {
    (id % 2 === 0 ? cache : other).set(`note-${id}`, noteOf(id));
    expect((id % 2 === 0 ? other : cache).getSync(`note-${id}`)).toEqual(noteOf(id));
  }
  // What was set before there was a dictionary is read as it was written.
  for (let id = 0; id < next; id++) {
    const value = cache.getSync(`note-${id}`) ?? noteOf(id);
    expect(value).toEqual(noteOf(id));
  }
  const loaded = await cache.fetch(`note-${next + 500}`, () => noteOf(next + 500));
  expect(loaded).toEqual(noteOf(next + 500));
  expect(await sizeOf(cache, next + 500)).toBeLessThan(before * 0.6);
  expect(cache.stats().corruptRecords).toBe(0);
  await other.close();
});

test("sessions of a directory share a dictionary; without it its values are misses", async () => {
  const path = freshPath();
  const file = join(path, "undercroft.shapes");
  const first = (await open({ near: false, memory: "1mb", ...diskAt(path) })) as Cache<Note>;
  const from = await learn(first, 0);
  const ids = Array.from({ length: 50 }, (_, number) => from + number);
  for (const id of ids) first.set(`note-${id}`, noteOf(id));
  await first.close();

  const second = (await open({ near: false, memory: "1mb", ...diskAt(path) })) as Cache<Note>;
  for (const id of ids) expect(await second.get(`note-${id}`)).toEqual(noteOf(id));
  // At once, without learning again.
  second.set(`note-${from + 99}`, noteOf(from + 99));
  expect(await sizeOf(second, from + 99)).toBeLessThan(100);
  await second.close();

  const bytes = readFileSync(file);
  // One wrong byte in the symbols.
  const text = bytes.indexOf("registered customer");
  expect(text).toBeGreaterThan(0);
  bytes[text] = 0x21;
  writeFileSync(file, bytes);
  const third = (await open({ near: false, memory: "1mb", ...diskAt(path) })) as Cache<Note>;
  const found = await Promise.all(ids.map((id) => third.get(`note-${id}`)));
  expect(found).toEqual(ids.map(() => undefined));
  expect(third.stats().corruptRecords).toBe(ids.length);
  const next = await learn(third, from + 1000);
  expect(await third.get(`note-${next - 1}`)).toEqual(noteOf(next - 1));
});
