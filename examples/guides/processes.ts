// Two processes share a directory, for docs/guides/processes.md. Here both are in one program.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCache } from "undercroft";

const path = await mkdtemp(join(tmpdir(), "undercroft-"));
const options = { memory: "16mb", disk: { path, capacity: "64mb", share: "host" as const } };
const first = await openCache<string>(options);
const second = await openCache<string>(options); // usually in another process
console.log(first.stats().processes?.role, second.stats().processes?.role); // owner guest

first.set("user:7", "Ada");
await first.flush(); // from here on no process answers anything older
console.log(await second.get("user:7")); // Ada

second.delete("user:7"); // deleteByTag and clear alike
await second.flush();
console.log(first.getSync("user:7")); // undefined

let loads = 0; // one, over all processes
const load = async (): Promise<string> => `load ${++loads}`;
const both = await Promise.all([first.fetch("a", load), second.fetch("a", load)]);
console.log(both.join()); // load 1,load 1

const took = new Promise<void>((resolve) => {
  second.on("role", ({ role }) => role === "owner" && resolve());
});
const service = setInterval(() => undefined, 1000); // what keeps the process alive
await first.close(); // or a kill -9: another process takes the directory, warm
await took;
clearInterval(service);
console.log(await second.get("a")); // load 1
await second.close();
await rm(path, { recursive: true });
