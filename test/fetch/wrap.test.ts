// What a memoised function keeps of the function it wraps.

import { expect, test } from "vitest";
import { errorOf, open, setUpCaches } from "../cache/opened.js";

setUpCaches();

test("function and key are called with the receiver", async () => {
  const cache = await open();
  class Users {
    calls = 0;
    readonly prefix: string;
    constructor(prefix: string) {
      this.prefix = prefix;
    }
    readonly byId = cache.wrap(
      async function (this: Users, id: number): Promise<string> {
        this.calls += 1;
        return `${this.prefix} ${id}`;
      },
      {
        key(id) {
          return `${this.prefix}:${id}`;
        },
      },
    );
  }
  const [staff, guests] = [new Users("staff"), new Users("guest")];
  expect([await staff.byId(7), await guests.byId(7), await staff.byId(7)]).toEqual([
    "staff 7",
    "guest 7",
    "staff 7",
  ]);
  expect([staff.calls, guests.calls]).toEqual([1, 1]);
  const bound = staff.byId.bind(guests);
  expect(await bound(7)).toBe("guest 7");
});

test("a method on a prototype gets the instance it is called on", async () => {
  const cache = await open();
  class Counter {
    declare count: (by: number) => Promise<number>;
    readonly start: number;
    constructor(start: number) {
      this.start = start;
    }
  }
  Counter.prototype.count = cache.wrap(
    async function (this: Counter, by: number) {
      return this.start + by;
    },
    { key: (by) => `count:${by}` },
  );
  expect(await new Counter(10).count(5)).toBe(15);
  // The receiver is no part of the key unless the key says so.
  expect(await new Counter(20).count(5)).toBe(15);
});

test("a background refresh is called with the receiver too", async () => {
  const cache = await open();
  const receivers: unknown[] = [];
  const wrapped = cache.wrap(
    function (this: unknown) {
      receivers.push(this);
      return 1;
    },
    { key: () => "k", forceRefresh: true },
  );
  const object = { wrapped };
  await object.wrapped();
  await wrapped.call("text");
  await wrapped();
  expect(receivers).toEqual([object, "text", undefined]);
});

test("name and length are kept, also where they are not ordinary", async () => {
  const cache = await open();
  const key = (): string => "k";
  const named = cache.wrap(async function loadUser(_id: number, _deep: boolean) {}, { key });
  expect([named.name, named.length]).toEqual(["loadUser", 2]);
  const rest = cache.wrap(async (..._ids: number[]) => 1, { key });
  expect([rest.name, rest.length]).toEqual(["", 0]);
  const odd = Object.defineProperty(async () => 1, "name", { value: Symbol("odd") });
  expect(() => cache.wrap(odd, { key })).not.toThrow();
});

test("what function or key throws at once is a rejection", async () => {
  const cache = await open();
  const fails = cache.wrap(
    (): string => {
      throw new Error("at once");
    },
    { key: () => "k" },
  );
  expect((await errorOf(() => fails())).message).toBe("at once");
  const wrong = cache.wrap(() => 1, { key: () => undefined as never });
  expect((await errorOf(() => wrong())).message).toContain("Cannot use key");
});

test("a key may be bytes, and wrong options are refused at once", async () => {
  const cache = await open();
  const wrapped = cache.wrap((id: number) => id * 2, { key: (id) => Buffer.from([id]) });
  expect(await wrapped(4)).toBe(8);
  expect(cache.getSync(Buffer.from([4]))).toBe(8);
  expect(() => cache.wrap(() => 1, { key: () => "k", ttl: 0 })).toThrow(RangeError);
  expect(() => cache.wrap(() => 1, { key: () => "k", timeout: null as never })).toThrow(
    "Cannot use option timeout",
  );
  expect(() => cache.wrap(() => 1, {} as never)).toThrow("Cannot use option key");
});
