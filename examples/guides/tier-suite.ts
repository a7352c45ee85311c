// The suite for tiers, run over one; shown in docs/guides/tiers.md.
import type { Tier } from "undercroft";
import { type MemoryStore, memoryStore, memoryTier, tierSuite } from "undercroft/tier-suite";

const stores = new Map<string, MemoryStore>();
const open = (name: string): Tier => {
  const store = stores.get(name) ?? memoryStore();
  stores.set(name, store);
  return memoryTier(store); // here yours
};

let passed = 0;
for (const { name, run } of tierSuite(open)) {
  await run().catch((error: unknown) => console.error(name, error)); // or test(name, run)
  passed += 1;
}
console.log(passed > 20); // true
