// Encrypts a directory, and gives it another key. Printed in docs/guides/disk-and-restarts.md.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCache } from "undercroft";

const path = await mkdtemp(join(tmpdir(), "undercroft-"));
const oldKey = randomBytes(32); // from a key store: Buffer.from(process.env.CACHE_KEY, "base64")
const newKey = randomBytes(32);

const cache = await openCache<string>({
  disk: { path, capacity: "64mb", encryption: { key: oldKey } },
});
cache.set("user:7", "Ada");
await cache.close();

// Another key: one start with both, and from then on the new one alone.
const rotated = await openCache<string>({
  disk: { path, capacity: "64mb", encryption: { key: newKey, previousKey: oldKey } },
});
console.log(await rotated.get("user:7")); // Ada
await rotated.close();

const late = openCache({ disk: { path, capacity: "64mb", encryption: { key: oldKey } } });
console.log(await late.catch((error: { code: string }) => error.code)); // ERR_ENCRYPTION_KEY
await rm(path, { recursive: true });
