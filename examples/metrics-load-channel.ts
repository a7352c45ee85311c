// Loads from the tracing channel of node:diagnostics_channel, into a histogram of the caller's own:
// the loads of this thread, by what the caller knows of a key. Prints what was recorded.
import { tracingChannel } from "node:diagnostics_channel";
import { type LoadTrace, openCache } from "undercroft";

const started = new WeakMap<LoadTrace, number>();
const recorded: string[] = [];

/** The part of a key that has few values: a metric must not have the key itself. */
const kindOf = ({ key }: LoadTrace): string => String(key).split(":")[0] ?? "";

tracingChannel<unknown, LoadTrace>("undercroft:load").subscribe({
  start: (load) => void started.set(load, performance.now()),
  end() {},
  asyncStart() {},
  asyncEnd(load) {
    const seconds = (performance.now() - (started.get(load) ?? NaN)) / 1000;
    const outcome = load.error === undefined ? "ok" : "error";
    // Here: histogram.record(seconds, { cache: load.cache, kind: kindOf(load), outcome });
    recorded.push(`${load.cache} ${kindOf(load)} ${outcome} ${seconds >= 0}`);
  },
  error() {},
});

const cache = await openCache<string>({ name: "users", memory: "16mb" });
await cache.fetch("user:7", async () => "Ada");
await cache.fetch("team:1", () => Promise.reject(new Error("no team"))).catch(() => undefined);
console.log(recorded.join("\n"));
await cache.close();
