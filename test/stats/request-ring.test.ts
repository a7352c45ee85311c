// The ring of recorded requests: what is taken of it, lost, and never taken for an event.
import { expect, test } from "vitest";

import {
  requestEvents,
  RequestRing,
  requestRingBytes,
  RequestTaker,
} from "../../dist/src/stats/mod.js";

const salt = [1, 2] as const;
const facts = { size: 100, ttl: 7, loadUs: 5000 };

function recording(sample = 1) {
  const buffer = new SharedArrayBuffer(requestRingBytes);
  const ring = new RequestRing(buffer);
  const taker = new RequestTaker(buffer);
  expect(ring.isOn()).toBe(false);
  expect(taker.take(sample, salt)).toMatchObject({ lost: 0, isNew: true });
  expect(ring.isOn()).toBe(true);
  const note = (key: string, isStore = false): boolean => {
    const hash = ring.hash(0, key);
    if (hash !== undefined) ring.note(hash, facts, isStore);
    return hash !== undefined;
  };
  const take = (own: readonly [number, number] = salt, part = sample) => {
    const taken = taker.take(part, own);
    if (taken === undefined) return undefined;
    return { ...taken, events: [...requestEvents(taken.events)] };
  };
  return { buffer, ring, note, take };
}

test("events are taken once, in order, with what was noted", () => {
  const { note, take } = recording();
  note("a");
  note("b", true);
  note("a");
  const { events, lost, isNew } = take() ?? {};
  expect([lost, isNew]).toEqual([0, false]);
  expect(events?.map(({ isStore }) => isStore)).toEqual([false, true, false]);
  expect(events?.[0]).toMatchObject(facts);
  expect(events?.[0]?.key).toBe(events?.[2]?.key);
  expect(events?.[0]?.key).not.toBe(events?.[1]?.key);
  expect(take()?.events).toEqual([]);
});

test("the ring keeps the last 16,384, and counts the others as lost", () => {
  const { note, take } = recording();
  for (let event = 0; event < 20_000; event++) note("a");
  const taken = take();
  expect([taken?.events.length, taken?.lost]).toEqual([16_384, 20_000 - 16_384]);
});

test("a slot that is not whole is waited for once, then lost; a torn one is lost", () => {
  const { buffer, note, take } = recording();
  const words = new Uint32Array(buffer);
  note("a");
  note("b");
  words[16] = 0; // the turn of the first: its writer has not finished
  expect(take()).toMatchObject({ events: [], lost: 0 });
  expect(take()?.lost).toBe(1);
  note("c");
  words[16 + 2 * 8 + 4] = 99; // a size that another writer left there
  expect(take()).toMatchObject({ events: [], lost: 0 });
  expect(take()).toMatchObject({ events: [], lost: 1 });
});

test("a recording ends when asked to, or nobody asks; another one may begin then", async () => {
  const { buffer, ring, note, take } = recording();
  expect(take([3, 4])).toBeUndefined();
  expect(take(salt, 0)?.isNew).toBe(false);
  expect(ring.isOn()).toBe(false);
  note("a"); // by a thread that has not seen the end: not of the recording that begins next
  expect(take([3, 4], 1)).toMatchObject({ events: [], isNew: true });
  await expect.poll(() => process.uptime(), { interval: 5, timeout: 10_000 }).toBeGreaterThan(1);
  Atomics.store(new Uint32Array(buffer), 1, 1); // as after 10 s in which nobody asked
  expect(ring.isOn()).toBe(false);
  expect(Atomics.load(new Uint32Array(buffer), 1)).toBe(0);
  expect(take([3, 4], 1)?.isNew).toBe(true);
});

test("a part of the keys is sampled by their hash; text is its bytes, spaces differ", () => {
  const { ring } = recording(0.25);
  const keys = Array.from({ length: 4000 }, (_, index) => `user:${index}`);
  const sampled = keys.filter((key) => ring.hash(0, key) !== undefined);
  expect(sampled.length / keys.length).toBeGreaterThan(0.22);
  expect(sampled.length / keys.length).toBeLessThan(0.28);
  const all = recording().ring;
  for (const key of ["plain", "sécret", "€"]) {
    expect(all.hash(0, Buffer.from(key))).toEqual(all.hash(0, key));
    expect(all.hash(1, key)).not.toEqual(all.hash(0, key));
  }
});
