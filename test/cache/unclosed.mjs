// A script that sets and ends without close(). Arguments: the directory, how it ends, the entry point
// of the package. Prints the errors that the cache tells.
import { writeSync } from "node:fs";

const [, , path, how, door = "../../dist/src/mod.js"] = process.argv;
const { openCache } = await import(door);
const cache = await openCache({ memory: "2mb", disk: { path, capacity: "8mb" } });
cache.on("error", ({ error }) => writeSync(1, `${error.code} ${error.message}\n`));
for (let key = 0; key < 500; key++) cache.set(`key-${key}`, { key });
if (how === "exit") process.exit(0);
if (how === "throw") throw new Error("an error of the script");
