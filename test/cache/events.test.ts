import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UndercroftError } from "../../dist/src/base/mod.js";
import { type CacheEventName, CacheEvents } from "../../dist/src/cache/events.js";

const warnings: (Error & { code?: string; detail?: string })[] = [];

function note(warning: Error): void {
  warnings.push(warning);
}

beforeEach(() => {
  warnings.length = 0;
  process.on("warning", note);
});
afterEach(() => {
  process.off("warning", note);
});

/** Warnings are emitted at the next tick, unhandled rejections some microtasks later. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe("on()", () => {
  test("an event without listeners is ignored, even an error", () => {
    const events = new CacheEvents();
    events.emit("error", { error: new UndercroftError("ERR_DISK_IO", "gone") });
    expect(events.hasListeners("error")).toBe(false);
  });

  test("delivers an event's data to its listeners only, in order", () => {
    const events = new CacheEvents();
    const heard: unknown[] = [];
    events.on("evict", (event) => heard.push(["first", event]));
    events.on("evict", (event) => heard.push(["second", event.cause]));
    events.on("expire", () => heard.push("wrong"));
    const data = { key: "a", cause: "capacity", tier: "memory" } as const;
    events.emit("evict", data);
    expect(heard).toEqual([
      ["first", data],
      ["second", "capacity"],
    ]);
  });

  test("accepts every documented event", () => {
    const events = new CacheEvents();
    const names: CacheEventName[] = [
      "evict",
      "expire",
      "error",
      "recovered",
      "tier-down",
      "tier-up",
      "worker-restarted",
    ];
    for (const name of names) {
      events.on(name, () => {});
      expect(events.hasListeners(name)).toBe(true);
    }
  });

  test("refuses an unknown event and lists the known ones", () => {
    const events = new CacheEvents();
    for (const name of ["evicted", "", "toString", "__proto__", undefined, 5]) {
      const wrong = name as CacheEventName;
      expect(() => events.on(wrong, () => {})).toThrow(RangeError);
      expect(() => {
        events.off(wrong, () => {});
      }).toThrow(RangeError);
    }
    expect(() => events.on("evicted" as CacheEventName, () => {})).toThrow(
      'Cannot listen to event "evicted": there is no such event; ' +
        "allowed are evict, expire, error, recovered, tier-down, tier-up, worker-restarted",
    );
  });

  test("refuses a listener that is not a function", () => {
    const events = new CacheEvents();
    for (const listener of [undefined, null, {}, "evict"]) {
      expect(() => events.on("evict", listener as never)).toThrow(TypeError);
      expect(() => {
        events.off("evict", listener as never);
      }).toThrow(TypeError);
    }
    expect(() => events.on("evict", 5 as never)).toThrow(
      'Cannot listen to event "evict": the listener is 5; it must be a function',
    );
    expect(events.hasListeners("evict")).toBe(false);
  });

  test("adds a listener only once", () => {
    const events = new CacheEvents();
    let calls = 0;
    const listener = (): void => {
      calls++;
    };
    events.on("expire", listener);
    const end = events.on("expire", listener);
    events.emit("expire", { key: "a" });
    expect(calls).toBe(1);
    end();
    expect(events.hasListeners("expire")).toBe(false);
  });
});

describe("off()", () => {
  test("and the function that on() returned remove a listener, however often called", () => {
    const events = new CacheEvents();
    const heard: string[] = [];
    const first = (): void => void heard.push("first");
    const end = events.on("expire", first);
    const other = events.on("expire", () => heard.push("second"));
    end();
    end();
    events.emit("expire", { key: "a" });
    expect(heard).toEqual(["second"]);
    events.off("expire", first);
    expect(events.hasListeners("expire")).toBe(true);
    other();
    expect(events.hasListeners("expire")).toBe(false);
  });

  test("a listener removed during an event is not called; one added then waits", () => {
    const events = new CacheEvents();
    const heard: string[] = [];
    const last = (): void => void heard.push("last");
    events.on("expire", () => {
      heard.push("first");
      events.off("expire", last);
      events.on("expire", () => heard.push("late"));
    });
    events.on("expire", last);
    events.emit("expire", { key: "a" });
    expect(heard).toEqual(["first"]);
  });

  test("removeAll() ends an event that is being delivered", () => {
    const events = new CacheEvents();
    const heard: string[] = [];
    events.on("expire", () => {
      heard.push("first");
      events.removeAll();
    });
    events.on("expire", () => heard.push("second"));
    events.emit("expire", { key: "a" });
    events.emit("expire", { key: "a" });
    expect(heard).toEqual(["first"]);
  });
});

test("only a change of the events that have listeners is reported", () => {
  const seen: boolean[] = [];
  const events: CacheEvents = new CacheEvents(() => seen.push(events.hasListeners("evict")));
  events.removeAll();
  const first = events.on("evict", () => {});
  const second = events.on("evict", () => {});
  first();
  expect(seen).toEqual([true]);
  second();
  second();
  expect(seen).toEqual([true, false]);
  events.on("evict", () => {});
  events.removeAll();
  expect(seen).toEqual([true, false, true, false]);
});

describe("a listener that throws", () => {
  test("is reported once, and the others are called", async () => {
    const events = new CacheEvents();
    let calls = 0;
    events.on("expire", function careless() {
      throw new Error("oops");
    });
    events.on("expire", () => {
      calls++;
    });
    events.emit("expire", { key: "a" });
    events.emit("expire", { key: "b" });
    expect(calls).toBe(2);
    await settled();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({
      name: "UndercroftListenerWarning",
      code: "UNDERCROFT_LISTENER",
      message: "The listener careless of the event expire threw; it is reported only once",
    });
    expect(warnings[0]!.detail).toContain("oops");
  });

  test("by a rejected promise is reported too, and ends nothing", async () => {
    const events = new CacheEvents();
    const unhandled: unknown[] = [];
    const noteUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", noteUnhandled);
    // oxlint-disable-next-line typescript/no-misused-promises -- callers do
    events.on("expire", async () => Promise.reject(new Error("later")));
    events.emit("expire", { key: "a" });
    await settled();
    await settled();
    process.off("unhandledRejection", noteUnhandled);
    expect(unhandled).toEqual([]);
    expect(warnings.map(({ detail }) => detail)).toEqual([expect.stringContaining("later")]);
  });

  test("a value that is not an Error is reported too", async () => {
    const events = new CacheEvents();
    events.on("expire", () => {
      // oxlint-disable-next-line typescript/only-throw-error -- callers do
      throw undefined;
    });
    events.emit("expire", { key: "a" });
    await settled();
    expect(warnings[0]!.detail).toBe("undefined");
  });
});
