// Starts a service three times and ends it in two ways: what does the next start find? Printed for
// docs/guides/disk-and-restarts.md.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const service = fileURLToPath(new URL("./restart-service.js", import.meta.url));

/** Runs the service until it has said what it found, and ends it. */
async function run(signal: "SIGTERM" | "SIGKILL"): Promise<string> {
  const child = fork(service);
  const [found] = (await once(child, "message")) as [string];
  child.kill(signal);
  await once(child, "exit");
  return found;
}

console.log(await run("SIGTERM")); // new: 0 entries, session:7 is undefined
console.log(await run("SIGKILL")); // clean: 1 entries, session:7 is kept
console.log(await run("SIGTERM")); // scan: 1 entries, session:7 is kept
