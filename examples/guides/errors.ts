// Errors by their code, for docs/guides/troubleshooting.md.
import { openCache, UndercroftError } from "undercroft";

const options = { memory: "16mb", disk: { path: "./cache", capacity: "64mb" } };
const cache = await openCache<string>(options);

// a fault of the world has a code
try {
  await openCache<string>(options); // the directory is open already
} catch (error) {
  if (!(error instanceof UndercroftError)) throw error;
  console.log(error.code); // ERR_DIRECTORY_LOCKED
}

// a mistake of the caller is a TypeError or RangeError that says what is allowed
try {
  cache.set("a", "text", { ttl: 0 });
} catch (error) {
  console.log(error instanceof RangeError); // true
}

await cache.close();
