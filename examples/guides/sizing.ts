// How many bytes an entry of your own takes, for docs/guides/sizing.md: store a sample, and divide.
import { openCache } from "undercroft";

const sample = Array.from({ length: 20_000 }, (_, id) => ({
  key: `user:${id}`,
  value: { id, name: `Ada the ${id}th`, email: `ada${id}@example.org`, roles: ["reader"] },
}));

const cache = await openCache({ memory: "64mb", near: false });
for (const { key, value } of sample) cache.set(key, value);

const { memory } = cache.stats();
const recordBytes = memory.bytes / memory.entries; // key, value and metadata
const indexBytes = 11; // at the load that the index is made for
const filled = 0.85; // segments are never all full of live entries
const wanted = 1_000_000;
const megabytes = (wanted * (recordBytes + indexBytes)) / filled / 1024 ** 2;

console.log(memory.entries); // 20000
console.log(recordBytes > 50 && recordBytes < 150); // true
console.log(megabytes < 200); // true
await cache.close();
