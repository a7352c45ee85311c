// A program of node:cluster whose four workers open one directory at once; the primary reports.
import cluster from "node:cluster";
import { openCache } from "../../dist/src/mod.js";

const [, , path = ""] = process.argv;
if (cluster.isPrimary) {
  const workers = Array.from({ length: 4 }, () => cluster.fork());
  const next = (worker) => new Promise((resolve) => worker.once("message", resolve));
  const tell = (worker, message) => {
    const answer = next(worker);
    worker.send(message);
    return answer;
  };
  await Promise.all(workers.map(next));
  await tell(workers[1], "set");
  const answers = [];
  for (const worker of workers) answers.push(await tell(worker, "get"));
  const [roles, values] = ["role", "value"].map((name) => answers.map((answer) => answer[name]));
  process.send({ roles, values });
  await Promise.all(workers.map((worker) => tell(worker, "close")));
  cluster.disconnect();
} else {
  const cache = await openCache({
    memory: "4mb",
    disk: { path, capacity: "16mb", share: "host", preload: false },
  });
  process.on("message", async (message) => {
    if (message === "set") {
      cache.set("a", "of one worker");
      await cache.flush();
    }
    const answer = { role: cache.stats().processes.role, value: await cache.get("a") };
    if (message === "close") await cache.close();
    process.send(answer);
  });
  process.send("open");
}
