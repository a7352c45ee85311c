// Another process that has a directory open: what tests of `disk.whenLocked` begin beside. It
// answers each message with what the named step gave.
import { openCache } from "../../dist/src/mod.js";

const [path, options = "{}"] = process.argv.slice(2);
const cache = await openCache({
  memory: "2mb",
  disk: { path, capacity: "8mb", preload: false },
  ...JSON.parse(options),
});

/** Sets keys of a key space to `value`, and writes all to disk. */
async function fill({ keys, value, set = {}, space }) {
  const entries = space === undefined ? cache : cache.namespace(space);
  for (const key of keys) entries.set(key, value, set);
  await cache.flush();
}

const steps = {
  fill,
  deleteByTag: ({ tag }) => cache.deleteByTag(tag),
  close: () => cache.close(),
  objects: async ({ count }) => {
    for (let round = 0; round < 40; round++) {
      for (let n = 0; n < count; n++) cache.set(`o${n}`, { id: n, name: `name ${n}`, round });
    }
    await cache.flush();
  },
};
process.on("message", async ({ step, ...given }) => {
  await steps[step](given);
  process.send("done");
  if (step === "close") process.disconnect();
});
process.send("open");
