// Near mode "copy" and `near: false`: no two callers ever get one object, whichever way the value
// comes to them.

import { describe, expect, test } from "vitest";
import { attachCache, type Cache, type CustomCodec, ManualClock } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

interface User {
  roles: string[];
  readonly when: Date;
}

const user = (): User => ({ roles: ["reader"], when: new Date(0) });

/** Throws unless all are right and no two share anything. */
function expectApart(values: readonly (User | undefined)[]): void {
  for (const value of values) expect(value).toEqual(user());
  expect(new Set(values).size).toBe(values.length);
  expect(new Set(values.map((value) => value?.roles)).size).toBe(values.length);
  expect(new Set(values.map((value) => value?.when)).size).toBe(values.length);
}

/** A load that ends when told to. */
class Load {
  count = 0;
  stale: User | undefined;
  finish: (value: User) => void = () => undefined;
  fail: (error: Error) => void = () => undefined;
  readonly loader = ({ stale }: { readonly stale: User | undefined }): Promise<User> => {
    this.count += 1;
    this.stale = stale;
    return new Promise((resolve, reject) => {
      this.finish = resolve;
      this.fail = reject;
    });
  };
}

describe.each([[false], [{ mode: "copy" }]] as const)("with near: %o", (near) => {
  const clock = new ManualClock();
  const openOne = (): Promise<Cache<User>> => open<User>({ near, clock });

  test("waiters of one load get objects of their own, and not the loader's", async () => {
    const cache = await openOne();
    const others = [attachCache<User>(cache.handle()), attachCache<User>(cache.handle())] as const;
    const load = new Load();
    const given = user();
    const here = [0, 1, 2].map(() => cache.fetch("k", load.loader));
    await until(() => load.count === 1);
    const there = others.flatMap((other) => [0, 1].map(() => other.fetch("k", load.loader)));
    await until(() => cache.stats().flights.coalescedAcross === 4);
    load.finish(given);
    const values = await Promise.all([...here, ...there]);
    expectApart([given, ...values, cache.getSync("k"), await cache.get("k")]);
    expect(load.count).toBe(1);
  });

  test("so do those of one that is not stored, and of one that others could not join", async () => {
    const cache = await openOne();
    const load = new Load();
    const all = [0, 1, 2].map(() => cache.fetch("k", load.loader));
    await until(() => load.count === 1);
    cache.delete("k");
    load.finish(user());
    expectApart(await Promise.all(all));
    expect(cache.getSync("k")).toBeUndefined();
  });

  test("so do forced fetches that share a load", async () => {
    const cache = await openOne();
    const forced = { forceRefresh: true };
    expectApart(await Promise.all([0, 1, 2].map(() => cache.fetch("k", user, forced))));
  });

  test.each([["memory"], ["disk"]])("so do callers of a stale value in %s", async (tier) => {
    const cache = await open<User>({
      near,
      clock,
      ...(tier === "disk" ? diskAt(freshPath()) : {}),
    });
    cache.set("k", user(), { ttl: 10, staleFor: "1h" });
    if (tier === "disk") {
      await cache.flush();
      for (let one = 0; one < 4000; one++) {
        cache.set(`fill-${one % 900}`, { roles: ["x".repeat(1500)], when: new Date(0) });
        if (one % 500 === 0) await cache.flush();
      }
    }
    clock.advance(11);
    const load = new Load();
    const stale = await Promise.all([0, 1, 2].map(() => cache.fetch("k", load.loader)));
    await until(() => load.count === 1);
    expectApart([...stale, load.stale, await cache.fetch("k", load.loader)]);
    load.fail(new Error("down"));
    await new Promise((resolve) => setImmediate(resolve));
  });

  test("so do those whom a failing load leaves the stale value", async () => {
    const cache = await openOne();
    cache.set("k", user(), { ttl: 10, staleFor: "1h" });
    clock.advance(11);
    const load = new Load();
    const soft = { timeout: { soft: "1h" } };
    const all = [0, 1, 2].map(() => cache.fetch("k", load.loader, soft));
    await until(() => load.count === 1);
    load.fail(new Error("down"));
    expectApart([...(await Promise.all(all)), load.stale]);
  });

  test("so do reads that share one read of the disk, and getMany and getEntry", async () => {
    const path = freshPath();
    const first = await open<User>({ near, ...diskAt(path) });
    first.set("k", user());
    await first.close();
    const cache = await open<User>({ near, ...diskAt(path) });
    const reads = [cache.get("k"), cache.get("k"), cache.fetch("k", user), cache.fetch("k", user)];
    const many = [cache.getMany(["k"]), cache.getMany(["k", "k"])];
    const entries = [cache.getEntry("k"), cache.getEntry("k")];
    expectApart([
      ...(await Promise.all(reads)),
      ...(await Promise.all(many)).map((found) => found.get("k")),
      ...(await Promise.all(entries)).map((found) => found?.value),
      (await cache.getEntry("k"))?.value,
      (await cache.getMany(["k"])).get("k"),
    ]);
  });

  test("bytes are a caller's own too", async () => {
    const cache = await open<Uint8Array>({ near });
    const load = async (): Promise<Uint8Array> => new Uint8Array([1, 2, 3]);
    const [one, two] = await Promise.all([cache.fetch("k", load), cache.fetch("k", load)]);
    one.fill(9);
    expect(Array.from(two)).toEqual([1, 2, 3]);
    expect(Array.from(cache.getSync("k")!)).toEqual([1, 2, 3]);
  });
});

test("a codec that cannot encode the value again fails only those who need a copy", async () => {
  let encodes = 0;
  const codec: CustomCodec<User> = {
    name: "once",
    encode: (value) => {
      encodes += 1;
      if (encodes > 1) throw new Error("once only");
      return Buffer.from(JSON.stringify(value.roles));
    },
    decode: (bytes) => ({
      ...user(),
      roles: JSON.parse(Buffer.from(bytes).toString()) as string[],
    }),
  };
  const cache = await open<User>({ codec, near: false });
  const both = [cache.fetch("k", async () => user()), cache.fetch("k", async () => user())];
  const error = errorOf(() => both[1]);
  expectApart([await both[0]]);
  expect((await error).message).toBe("once only");
});

test("with near: {} waiters of one load share the object that hits return", async () => {
  const cache = await open<User>();
  const all = await Promise.all([0, 1].map(() => cache.fetch("k", async () => user())));
  expect(all[0]).toBe(all[1]);
  expect(cache.getSync("k")).toBe(all[0]);
});
