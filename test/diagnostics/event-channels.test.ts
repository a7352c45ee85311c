// The events of a cache on channels of node:diagnostics_channel.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, expect, test } from "vitest";

import { UndercroftError } from "../../dist/src/base/mod.js";
import { CacheEvents } from "../../dist/src/cache/events.js";
import { diskAt, freshPath, open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

const undo = new Set<() => void>();

afterEach(() => {
  for (const each of undo) each();
  undo.clear();
});

function heard(name: string): unknown[] {
  const messages: unknown[] = [];
  const listener = (message: unknown): void => void messages.push(message);
  subscribe(name, listener);
  undo.add(() => void unsubscribe(name, listener));
  return messages;
}

test("a channel tells what was recovered, with the name of the cache, once", async () => {
  const messages = heard("undercroft:recovered");
  const cache = await open({ name: "users", ...diskAt(freshPath()) });
  const events: unknown[] = [];
  cache.on("recovered", (event) => events.push(event));
  await until(() => events.length === 1);
  expect(messages).toEqual([{ cache: "users", ...(events[0] as object) }]);
});

test("each event of a cache as a whole has its channel, and those of entries have none", () => {
  const events = new CacheEvents(undefined, "users");
  const error = new UndercroftError("ERR_DISK_IO", "gone");
  const told = {
    error: { error },
    "tier-down": { tier: "disk", error },
    "tier-up": { tier: "disk" },
    "worker-restarted": { worker: "janitor", reason: "died" },
  } as const;
  for (const [name, data] of Object.entries(told)) {
    const messages = heard(`undercroft:${name}`);
    events.emit(name as "tier-up", data as never);
    expect(messages).toEqual([{ cache: "users", ...data }]);
  }
  const messages = [heard("undercroft:evict"), heard("undercroft:expire")];
  events.emit("evict", { key: "a", cause: "disk", tier: "disk" });
  events.emit("expire", { key: "a" });
  expect(messages).toEqual([[], []]);
});
