// A program that uses a whole cache while the timers are fakes: run by fake-timers.test.ts with the
// kind of fakes, when the cache is opened, whether the fakes are moved, and a fresh directory. It
// prints what the calls answered, as JSON. Each kind of fakes would stop the test runner itself.
import timers from "node:timers";
import { mock } from "node:test";
import { attachCache, openCache } from "../../dist/src/mod.js";

const [, , kind, opened, moved, path] = process.argv;
const never = () => ({ ref: never, unref: never, hasRef: () => true });
const names = ["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval"];

/** Each way to replace timers; answers how to move them. */
const kinds = {
  // What sinon replaces: everything, on every object that has it.
  stubs: () => {
    for (const name of names) globalThis[name] = timers[name] = never;
    globalThis.queueMicrotask = process.nextTick = never;
    process.hrtime = Object.assign(() => [0, 0], { bigint: () => 0n });
    performance.now = () => 0;
    globalThis.Date = class extends Date {
      static now() {
        return 0;
      }
    };
    return () => undefined;
  },
  "node:test": () => {
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "setImmediate", "Date"] });
    return (ms) => mock.timers.tick(ms);
  },
};

const hour = 3_600_000;
const answers = {};
const options = { memory: "2mb", disk: { path, capacity: "8mb" } };
let tick = opened === "under" ? kinds[kind]() : undefined;
const cache = await openCache(options);
tick ??= kinds[kind]();
const move = () => moved === "moved" && tick(5 * hour);

const date = new Date(1e12);
answers.set = cache.set("a", { date }, { ttl: "1h", tags: ["t"] });
move();
answers.get = (await cache.get("a"))?.date.getTime();
answers.fetch = await cache.fetch("b", async () => 5, { timeout: "1h", negativeTtl: "1h" });
const large = cache.setAsync("large", "z".repeat(200_000));
move();
answers.setAsync = await large;
await cache.flush();
await cache.flush({ fsync: true });
const attached = attachCache(cache.handle());
answers.attached = attached.getSync("b");
await attached.close();
answers.getMany = (await cache.getMany(["a", "b"])).size;
answers.delete = cache.delete("b");
cache.deleteByTag("t");
const underWay = cache.setAsync("late", "z".repeat(200_000));
const closed = cache.close();
move();
answers.setAsyncAtClose = await underWay;
await closed;
const again = await openCache(options);
answers.kept = (await again.getMany(["a", "b", "large", "late"])).size;
await again.close();
process.stdout.write(JSON.stringify(answers));
