// A script that sets and ends without close(). Arguments: the directory, how it ends.
import { openCache } from "../../dist/src/mod.js";

const [, , path, how] = process.argv;
const cache = await openCache({ memory: "2mb", disk: { path, capacity: "8mb" } });
for (let key = 0; key < 500; key++) cache.set(`key-${key}`, { key });
if (how === "exit") process.exit(0);
if (how === "throw") throw new Error("an error of the script");
