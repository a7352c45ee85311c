// How many bytes an entry of your own takes, and how a budget is divided; shown in
// docs/guides/sizing.md.
import { openCache } from "undercroft";

// your entries
const sample = Array.from({ length: 20_000 }, (_, id) => ({
  key: `user:${id}`,
  value: { id, name: `Ada the ${id}th`, email: `ada${id}@example.org`, roles: ["reader"] },
}));

const cache = await openCache({ memory: "64mb", near: false });
for (const { key, value } of sample) cache.set(key, value);

const { memory } = cache.stats();
const recordBytes = Math.round(memory.bytes / memory.entries); // key, value and metadata
const indexBytes = 11; // for each entry, at the load that the index is made for
const wanted = 1_000_000;
const megabytes = (wanted * (recordBytes + indexBytes)) / 0.75 / 1024 ** 2;
console.log(recordBytes < 100, megabytes < 150); // true true
await cache.close();

// how a budget is divided
const KiB = 1024;
async function divided(memory: string): Promise<string> {
  const one = await openCache<Uint8Array>({ memory, near: false });
  let [fits, refused] = [0, 64 * KiB]; // the largest value, in KiB
  while (refused - fits > 1) {
    const middle = (fits + refused) >> 1;
    if (one.set("value", new Uint8Array(middle * KiB)) === "stored") fits = middle;
    else refused = middle;
  }
  const { indexBytes, limitBytes } = one.stats().memory;
  await one.close();
  const index = Math.round((indexBytes / limitBytes) * 100);
  return `index ${index} %, largest value ${Math.floor(fits / KiB)} MiB`;
}

console.log(await divided("16mb")); // index 10 %, largest value 3 MiB
console.log(await divided("64mb")); // index 10 %, largest value 13 MiB
