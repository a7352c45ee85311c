// The checks of what ends entries of a tier, and of the order of changes.
import assert from "node:assert/strict";
import type { TierChange } from "../outer-tiers/mod.js";
import { type Checks, del, entry, now, read, readAll, set } from "./checked.js";

const tagged = (...tags: string[]) => entry("x", { tags });
const endTag = (tag: string, namespace: string | null = null): TierChange => {
  return { kind: "delete-by-tag", namespace, tag };
};
const clear = (namespace: string | null = null): TierChange => ({ kind: "clear", namespace });

export const changeChecks: Checks = {
  "a later set replaces the entry, with its tags": async (open) => {
    const tier = await open();
    await tier.apply([set("a", tagged("old"))], now);
    await tier.apply([set("a", entry("new", { tags: ["new"] }))], now);
    await tier.apply([endTag("old")], now);
    assert.equal(await read(tier, "a"), "new");
    await tier.apply([endTag("new")], now);
    assert.equal(await read(tier, "a"), undefined);
  },

  "a delete ends one entry, of one namespace": async (open) => {
    const tier = await open();
    await tier.apply([set("a", "1"), set("a", "2", "n"), set("b", "3")], now);
    await tier.apply([del("a"), del("absent")], now);
    assert.deepEqual(await readAll(tier, ["a", "b"]), [null, "3"]);
    assert.equal(await read(tier, "a", "n"), "2");
  },

  "a tag ends all that have it, in every namespace, and nothing else": async (open) => {
    const tier = await open();
    await tier.apply(
      [
        set("a", tagged("t", "u")),
        set("b", tagged("u")),
        set("c", tagged("tt")),
        set("d", tagged("t"), "n"),
        set("e", "none"),
      ],
      now,
    );
    await tier.apply([endTag("t")], now);
    assert.deepEqual(await readAll(tier, ["a", "b", "c", "e"]), [null, "x", "x", "none"]);
    assert.equal(await read(tier, "d", "n"), undefined);
  },

  "a tag of one namespace ends nothing in another": async (open) => {
    const tier = await open();
    await tier.apply([set("a", tagged("t")), set("a", tagged("t"), "n")], now);
    await tier.apply([endTag("t", "n")], now);
    assert.equal(await read(tier, "a"), "x");
    assert.equal(await read(tier, "a", "n"), undefined);
  },

  "what is written after a tag has ended stays": async (open) => {
    const tier = await open();
    await tier.apply([set("a", tagged("t"))], now);
    await tier.apply([endTag("t")], now);
    await tier.apply([set("a", entry("again", { tags: ["t"] }))], now);
    assert.equal(await read(tier, "a"), "again");
  },

  "a clear ends all, one of a namespace only that": async (open) => {
    const tier = await open();
    const fill = [set("a", "1"), set("a", "2", "n"), set("a", "3", "m")];
    await tier.apply(fill, now);
    await tier.apply([clear("n")], now);
    assert.equal(await read(tier, "a", "n"), undefined);
    assert.deepEqual([await read(tier, "a"), await read(tier, "a", "m")], ["1", "3"]);
    await tier.apply([clear()], now);
    assert.deepEqual([await read(tier, "a"), await read(tier, "a", "m")], [undefined, undefined]);
    await tier.apply(fill, now);
    assert.equal(await read(tier, "a", "n"), "2");
  },

  "changes of one call are made in order": async (open) => {
    const tier = await open();
    await tier.apply([set("a", "1"), del("a"), set("b", "2"), set("b", "3")], now);
    await tier.apply([del("c"), set("c", "4")], now);
    await tier.apply([set("d", tagged("t")), endTag("t"), set("e", tagged("t"))], now);
    const keys = ["a", "b", "c", "d", "e"];
    assert.deepEqual(await readAll(tier, keys), [null, "3", "4", null, "x"]);
    await tier.apply([set("f", "5"), clear(), set("g", "6")], now);
    assert.deepEqual(await readAll(tier, [...keys, "f", "g"]), [
      ...keys.map(() => null),
      null,
      "6",
    ]);
  },

  "a batch that comes twice is as one": async (open) => {
    const tier = await open();
    const batch = [clear(), set("a", tagged("t")), set("b", "2"), del("b"), endTag("u")];
    await tier.apply(batch, now);
    await tier.apply(batch, now);
    assert.deepEqual(await readAll(tier, ["a", "b"]), ["x", null]);
  },
};
