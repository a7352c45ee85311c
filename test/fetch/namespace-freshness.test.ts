// `isValid`, `refreshAfter`, `jitter` and `getOrFetch` of a namespace: its defaults, its loader,
// and what its callers name entries by.
import { describe, expect, expectTypeOf, test } from "vitest";
import {
  type LoadContext,
  ManualClock,
  unchanged,
  type ValidityContext,
} from "../../dist/src/mod.js";
import { errorOf, open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

interface Name {
  readonly user: number;
}

/** A namespace whose values are right if they have the version wanted, and its calls. */
async function openAgents(options: object = {}) {
  const clock = new ManualClock();
  const cache = await open({ clock, jitter: 0 });
  const source = { version: 1, loads: [] as unknown[], asked: [] as unknown[] };
  const agents = cache.namespace<{ version: number }, Name>("agents", {
    key: ({ user }) => `u${user}`,
    tags: ({ user }) => [`user:${user}`],
    load: async ({ key, stale }: LoadContext<{ version: number }, Name>) => {
      source.loads.push([key, stale]);
      return { version: source.version };
    },
    isValid: ({ version }, { key, tags }: ValidityContext<Name>) => {
      source.asked.push([key, tags]);
      return version === source.version;
    },
    ttl: 1000,
    ...options,
  });
  return { clock, cache, agents, source };
}

describe("the freshness of a namespace", () => {
  test("is asked for with what the caller names the entry by", async () => {
    const { agents, source } = await openAgents();
    const key = { user: 7 };
    expect(await agents.fetch(key)).toEqual({ version: 1 });
    expect(await agents.fetch(key)).toEqual({ version: 1 });
    source.version = 2;
    expect(await agents.fetch(key)).toEqual({ version: 2 });
    expect(source.loads).toEqual([
      [key, undefined],
      [key, { version: 1 }],
    ]);
    expect(source.asked).toEqual([
      [key, ["user:7"]],
      [key, ["user:7"]],
    ]);
    source.version = 3;
    // Another isValid counts for this call alone.
    const own = (_: { version: number }, { key: named }: ValidityContext<Name>): boolean =>
      named === key;
    expect(await agents.fetch(key, { isValid: own })).toEqual({ version: 2 });
  });

  test("is refreshed ahead and spread as its options say", async () => {
    const { clock, agents, source } = await openAgents({ refreshAfter: 500, jitter: 0.5 });
    const lives = new Set<number>();
    for (let user = 0; user < 20; user++) {
      await agents.fetch({ user });
      const { createdAt, expiresAt } = (await agents.getEntry({ user }))!;
      lives.add(expiresAt - createdAt);
    }
    expect(lives.size).toBeGreaterThan(1);
    await agents.fetch({ user: 99 }, { jitter: 0 });
    clock.advance(500);
    expect(await agents.fetch({ user: 99 })).toEqual({ version: 1 });
    await until(() => source.loads.length === 22);
    const wrong = () => openAgents({ refreshAfter: 1000 });
    expect((await errorOf(wrong)).message).toContain("Cannot use option refreshAfter");
  });

  test("counts for getOrFetch and wrap too", async () => {
    const { agents, source } = await openAgents();
    const loading = agents.getOrFetch({ user: 7 });
    expectTypeOf(loading).toEqualTypeOf<
      { version: number } | Promise<{ version: number } | undefined>
    >();
    expect(await loading).toEqual({ version: 1 });
    expect(agents.getOrFetch({ user: 7 })).toEqual({ version: 1 });
    source.version = 2;
    const wrapped = agents.wrap(async (user: number) => (user === 7 ? unchanged : undefined), {
      key: (user) => ({ user }),
    });
    expect(await wrapped(7)).toEqual({ version: 1 }); // the loader's word
    expect(agents.getOrFetch({ user: 7 }, async () => ({ version: 2 }))).toBeInstanceOf(Promise);
    const { cache } = await openAgents();
    const bare = cache.namespace("bare");
    const refused = (await errorOf(() => bare.getOrFetch("k"))).message;
    expect(refused).toContain("without a loader");
  });
});
