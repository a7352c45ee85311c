// The checks of what a tier keeps: entries as they were.
import assert from "node:assert/strict";
import type { TierChange, TierEntry } from "../outer-tiers/mod.js";
import { bytes, type Checks, entry, now, read, readAll, set } from "./checked.js";

const oddTags = ["a b", "ü", "\u0000", "'", '"', "1:x", "t".repeat(300)];

export const entryChecks: Checks = {
  "gives an entry back as it was: value, times and tags": async (open) => {
    const tier = await open();
    const stored: TierEntry = {
      value: Uint8Array.from({ length: 256 }, (_, byte) => byte),
      createdAt: now - 5,
      expiresAt: now + 1000.5,
      staleUntil: Infinity,
      tags: oddTags,
    };
    await tier.apply([set("a", stored)], now);
    const [found] = await tier.getMany([{ namespace: "", key: bytes("a") }], now);
    assert.deepEqual({ ...found, value: new Uint8Array(found?.value ?? []) }, stored);
  },

  "keeps an entry for ever if it never expires": async (open) => {
    const tier = await open();
    const never = { expiresAt: Infinity, staleUntil: Infinity };
    await tier.apply([set("a", entry("x", never)), set("b", entry("", never))], now);
    assert.deepEqual(await readAll(tier, ["a", "b"]), ["x", ""]);
    const [found] = await tier.getMany([{ namespace: "", key: bytes("a") }], now);
    assert.deepEqual([found?.expiresAt, found?.staleUntil], [Infinity, Infinity]);
  },

  "keeps an expired entry until its staleUntil": async (open) => {
    const tier = await open();
    const times = { expiresAt: now - 1, staleUntil: now + 60_000 };
    await tier.apply([set("a", entry("x", times))], now);
    assert.equal(await read(tier, "a"), "x");
  },

  "tells keys apart by every byte, and by their namespace": async (open) => {
    const tier = await open();
    const keys = [[0], [255], [0, 255], [255, 0], [49, 58], [58]].map((key) =>
      Uint8Array.from(key),
    );
    const places = keys.flatMap((key) => ["", "n", "n:", "1:"].map((space) => ({ key, space })));
    const changes: TierChange[] = places.map(({ key, space }, index) => {
      return { kind: "set", namespace: space, key, entry: entry(`${index}`) };
    });
    await tier.apply(changes, now);
    const found = await tier.getMany(
      places.map(({ key, space }) => ({ namespace: space, key })),
      now,
    );
    const texts = found.map((one) => Buffer.from(one?.value ?? []).toString());
    assert.deepEqual(
      texts,
      places.map((_, index) => `${index}`),
    );
  },

  "answers for each key, in order, also one that is asked for twice": async (open) => {
    const tier = await open();
    await tier.apply([set("a", "1"), set("b", "2")], now);
    assert.deepEqual(await readAll(tier, ["b", "none", "a", "b"]), ["2", null, "1", "2"]);
    assert.deepEqual(await readAll(tier, []), []);
  },

  "keeps what it was given, whatever the caller does with the bytes later": async (open) => {
    const tier = await open();
    const change = { kind: "set" as const, namespace: "", key: bytes("a"), entry: entry("first") };
    await tier.apply([change], now);
    change.entry.value.fill(0);
    change.key.fill(0);
    assert.equal(await read(tier, "a"), "first");
  },

  "keeps values of a megabyte, and a thousand changes at once": async (open) => {
    const tier = await open();
    const large = "0123456789abcdef".repeat(65_536);
    await tier.apply([set("large", large)], now);
    assert.equal(await read(tier, "large"), large);
    const keys = Array.from({ length: 1000 }, (_, index) => `k${index}`);
    await tier.apply(
      keys.map((key) => set(key, key)),
      now,
    );
    assert.deepEqual(await readAll(tier, keys), keys);
  },

  "has what another tier of the same store wrote": async (open) => {
    const [one, two] = [await open(), await open()];
    await one.apply([set("a", "1", "n")], now);
    assert.equal(await read(two, "a", "n"), "1");
  },

  "says that it is well": async (open) => {
    const tier = await open();
    await tier.health();
  },
};
