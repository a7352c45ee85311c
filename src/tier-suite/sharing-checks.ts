// The checks of a tier that tells of what others do.
import assert from "node:assert/strict";
import { type Checks, del, entry, listen, now, read, set } from "./checked.js";

export const sharingChecks: Checks = {
  "tells of what others set and delete, with its namespace": async (open) => {
    const [one, two] = [await open(), await open()];
    const { told } = await listen(one);
    await two.apply([set("a", "1"), set("b", "2", "n")], now);
    await told.until("delete /a");
    await told.until("delete n/b");
    await two.apply([del("c", "n")], now);
    await told.until("delete n/c");
    assert.equal(await read(one, "a"), "1");
  },

  "tells of tags and clears": async (open) => {
    const [one, two] = [await open(), await open()];
    const { told } = await listen(one);
    await two.apply([{ kind: "delete-by-tag", namespace: null, tag: "t" }], now);
    await told.until("delete-by-tag */t");
    await two.apply([{ kind: "clear", namespace: "n" }], now);
    await told.until("clear n/");
    await two.apply([{ kind: "clear", namespace: null }], now);
    await told.until("clear */");
  },

  "tells in the order of the changes, and not of its own": async (open) => {
    const [one, two] = [await open(), await open()];
    const { told } = await listen(one);
    await listen(two);
    await one.apply([set("own", "1")], now);
    await two.apply([set("a", "1")], now);
    await one.apply([del("own")], now);
    await two.apply([set("b", "1"), del("c")], now);
    await told.until("delete /c");
    const ended = told.lines.filter((line) => line.startsWith("delete"));
    assert.deepEqual(ended, ["delete /a", "delete /b", "delete /c"]);
  },

  "tells nothing more once it is asked to end": async (open) => {
    const [one, two] = [await open(), await open()];
    const { told, end } = await listen(one);
    const { told: third } = await listen(await open());
    await two.apply([set("a", "1")], now);
    await told.until("delete /a");
    end();
    await two.apply([set("b", "1")], now);
    await third.until("delete /b");
    assert.ok(!told.lines.includes("delete /b"), told.lines.join());
  },

  "of what two set at once has one of them, or nothing, for both": async (open) => {
    const [one, two] = [await open(), await open()];
    await listen(one);
    await listen(two);
    for (let round = 0; round < 20; round++) {
      const key = `k${round}`;
      await Promise.all([
        one.apply([set(key, entry("one"))], now),
        two.apply([set(key, entry("two"))], now),
      ]);
      const [first, second] = [await read(one, key), await read(two, key)];
      assert.equal(first, second);
      assert.ok(first === undefined || first === "one" || first === "two");
    }
  },
};
