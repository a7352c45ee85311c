// A tier of one's own behind memory and disk; shown in docs/guides/tiers.md. Here it is a Map; in a
// service it is what several processes share.
import { openCache, type Tier, type TierEntry, type TierKey } from "undercroft";

const rows = new Map<string, TierEntry>();
const idOf = ({ namespace, key }: TierKey): string =>
  `${namespace}/${Buffer.from(key).toString("hex")}`;

const tier: Tier = {
  name: "map",
  getMany: (keys) => keys.map((key) => rows.get(idOf(key))),
  apply(changes) {
    for (const change of changes) {
      if (change.kind === "set") rows.set(idOf(change), change.entry);
      else if (change.kind === "delete") rows.delete(idOf(change));
      else rows.clear(); // by tag, or all: more than need be is right too
    }
  },
  health: () => undefined,
};

const cache = await openCache<string>({ memory: "16mb", tiers: [tier] });
cache.set("user:7", "Ada");
await cache.close(); // waits until the tier has it

const next = await openCache<string>({ memory: "16mb", tiers: [tier] });
console.log(next.getSync("user:7"), await next.get("user:7")); // undefined Ada
await next.close();
