// The class of `cacheHandler`, called as Next's IncrementalCache calls it; `shown` says what that
// makes of an answer.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { type Cache, openCache } from "../../dist/src/mod.js";
import { nextCacheHandler, nextIsrHandler } from "../../dist/src/next/mod.js";

type HandlerClass = ReturnType<typeof nextIsrHandler>;
type Handler = InstanceType<HandlerClass>;
type Found = Awaited<ReturnType<Handler["get"]>>;

let cache: Cache;
let folder: string;
let Class: HandlerClass;
/** What the host's clock is ahead of the real one. */
let ahead = 0;

beforeEach(async () => {
  ahead = 0;
  const real = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => real() + ahead);
  folder = mkdtempSync(join(tmpdir(), "undercroft-next-"));
  cache = await openCache({ memory: "16mb" });
  Class = nextIsrHandler(cache);
  build("one");
});
afterEach(async () => {
  vi.restoreAllMocks();
  await cache.close();
  rmSync(folder, { recursive: true, force: true });
});

function build(id: string): void {
  mkdirSync(join(folder, id, "server"), { recursive: true });
  writeFileSync(join(folder, id, "BUILD_ID"), `${id}\n`);
}

/** The handler of a request to a build. */
const request = (id = "one", revalidatedTags: string[] = []): Handler =>
  new Class({ serverDistDir: join(folder, id, "server"), revalidatedTags });

const now = (): number => performance.timeOrigin + performance.now();

const page = (text: string, tags = "a,b") => ({
  kind: "APP_PAGE",
  html: `<p>${text}</p>`,
  rscData: Buffer.from(`rsc ${text}`),
  headers: { "x-next-cache-tags": tags, vary: ["a", "b"] },
  postponed: undefined,
  status: 200,
  segmentData: new Map([["/_tree", Buffer.from([0, 255, 1])]]),
});
const pageLook = { kind: "APP_PAGE", isFallback: false };
const fetched = (body: string, revalidate: number | false = 60) => ({
  kind: "FETCH",
  data: { headers: { "content-type": "text/plain" }, body, url: "http://a.example/", status: 200 },
  revalidate,
});
const fetchLook = { kind: "FETCH", tags: ["t"], softTags: ["_N_T_/page"], revalidate: 60 };

/** What Next makes of an answer: IncrementalCache.get of Next 16. */
function shown(found: Found, fetchRevalidate?: number): "miss" | "fresh" | "stale" | "blocking" {
  if (found === null) return "miss";
  const { lastModified, cacheControl } = found;
  const age = (now() - lastModified) / 1000;
  if (fetchRevalidate !== undefined) return age > fetchRevalidate ? "stale" : "fresh";
  const { revalidate = 1, expire } = cacheControl ?? {};
  if (expire !== undefined && age > expire) return "blocking";
  return revalidate !== false && age > revalidate ? "stale" : "fresh";
}

async function render(key: string, value: object | null, cacheControl?: object, of = request()) {
  await of.get(key, pageLook);
  await of.set(key, value, { cacheControl } as never);
}

describe("a page", () => {
  test("comes back exactly, to each request an object of its own", async () => {
    const control = { revalidate: 60, expire: 3600 };
    await render("/a", page("a"), control);
    const first = await request().get("/a", pageLook);
    expect(first?.value).toStrictEqual(page("a"));
    expect(first?.cacheControl).toEqual(control);
    expect(Math.abs((first?.lastModified ?? 0) - now())).toBeLessThan(5000);
    const value = first?.value as ReturnType<typeof page>;
    Reflect.deleteProperty(value.headers, "x-next-cache-tags"); // as Next does
    value.segmentData.clear();
    expect((await request().get("/a", pageLook))?.value).toStrictEqual(page("a"));
    expect(await request().get("/b", pageLook)).toBeNull();
  });

  test("of another kind, a fetch and an image have keys of their own", async () => {
    const route = { kind: "APP_ROUTE", body: Buffer.from([1, 2]), status: 200, headers: {} };
    const image = { kind: "IMAGE", etag: "e", upstreamEtag: "u", buffer: Buffer.from([3]) };
    await render("key", route, { revalidate: false });
    await request().set("key", fetched("body"), { fetchCache: true, tags: [] });
    await request().set("key", image, {});
    expect((await request().get("key", { kind: "APP_ROUTE" }))?.value).toStrictEqual(route);
    expect((await request().get("key", { ...fetchLook, tags: [] }))?.value).toStrictEqual(
      fetched("body"),
    );
    expect((await request().get("key", { kind: "IMAGE" }))?.value).toStrictEqual(image);
  });

  test("that is not found is remembered as that", async () => {
    await render("/missing", null, { revalidate: 60 });
    expect(await request().get("/missing", pageLook)).toMatchObject({ value: null });
  });

  test("is served to the build that rendered it only", async () => {
    build("two");
    await render("/a", page("one"), { revalidate: 60 });
    expect(await request("two").get("/a", pageLook)).toBeNull();
    await render("/a", page("two"), { revalidate: 60 }, request("two"));
    expect((await request("one").get("/a", pageLook))?.value).toStrictEqual(page("one"));
    const unbuilt = request("three");
    await render("/a", page("three"), { revalidate: 60 }, unbuilt);
    expect(await unbuilt.get("/a", pageLook)).toBeNull();
    build("three");
    await render("/a", page("three"), { revalidate: 60 }, unbuilt);
    expect((await unbuilt.get("/a", pageLook))?.value).toStrictEqual(page("three"));
  });

  test("a fetch is for later builds too", async () => {
    build("two");
    await request().set("f", fetched("body"), { fetchCache: true, tags: ["t"] });
    expect(await request("two").get("f", fetchLook)).not.toBeNull();
  });

  test("lives until its expire time", async () => {
    await render("/a", page("a"), { revalidate: 0.005, expire: 0.02 });
    await expect.poll(() => request().get("/a", pageLook)).toBeNull();
  });
});

describe("tags", () => {
  test("of a page end it at once", async () => {
    await render("/a", page("a", "x,y"), { revalidate: 60 });
    await render("/b", page("b", "z"), { revalidate: 60 });
    await request().revalidateTag(["y"]);
    expect(await request().get("/a", pageLook)).toBeNull();
    expect(shown(await request().get("/b", pageLook))).toBe("fresh");
    await request().revalidateTag("z");
    expect(await request().get("/b", pageLook)).toBeNull();
  });

  test.each([
    ["a page", { revalidate: 60, expire: 3600 }],
    ["a page without an expire time", { revalidate: 60 }],
    ["a page for ever", { revalidate: false }],
    ["a page of which Next says nothing", undefined],
    ["a page rendered long ago", { revalidate: 100_000, expire: 200_000 }],
  ])("with a duration make %s stale, and then end it", async (_, control) => {
    await render("/a", page("a", "x"), control);
    ahead += 500;
    expect(shown(await request().get("/a", pageLook))).toBe("fresh");
    await request().revalidateTag("x", { expire: 60 });
    const stale = await request().get("/a", pageLook);
    expect(shown(stale)).toBe("stale");
    expect(stale?.value).toStrictEqual(page("a", "x"));
    ahead += 60_000;
    expect(await request().get("/a", pageLook)).toBeNull();
    await render("/a", page("new", "x"), control);
    expect(shown(await request().get("/a", pageLook))).toBe("fresh");
    expect((await request().get("/a", pageLook))?.cacheControl).toEqual(control);
  });

  test.each([60, 0xfffffffe])("of a fetch of %i s make it stale, and end it", async (seconds) => {
    const look = { ...fetchLook, revalidate: seconds };
    const put = () => request().set("f", fetched("b", seconds), { fetchCache: true, tags: ["t"] });
    await put();
    expect(shown(await request().get("f", look), seconds)).toBe("fresh");
    await request().revalidateTag("t", { expire: 60 });
    expect(shown(await request().get("f", look), seconds)).toBe("stale");
    await put();
    await request().revalidateTag("_N_T_/page", { expire: 60 }); // of the path
    expect(shown(await request().get("f", look), seconds)).toBe("stale");
    expect(shown(await request().get("f", { ...look, softTags: [] }), seconds)).toBe("fresh");
    await request().revalidateTag("_N_T_/page");
    expect(await request().get("f", look)).toBeNull();
  });

  test("that are asked for and not stored count too, and those of the request", async () => {
    await request().set("f", fetched("b"), { fetchCache: true, tags: ["t"] });
    expect(await request("one", ["t2"]).get("f", { ...fetchLook, tags: ["t", "t2"] })).toBeNull();
    await request().revalidateTag("t2");
    expect(await request().get("f", { ...fetchLook, tags: ["t", "t2"] })).toBeNull();
    expect(await request().get("f", fetchLook)).not.toBeNull();
  });

  test("that are invalidated while a page is rendered keep it out", async () => {
    const slow = request();
    await slow.get("/a", pageLook); // nothing: it is rendered
    await request().revalidateTag("x");
    await slow.set("/a", page("old data", "x"), { cacheControl: { revalidate: 60 } });
    expect(await request().get("/a", pageLook)).toBeNull();
    // What the same instance renders later is not older for that.
    await slow.get("/a", pageLook);
    await slow.set("/a", page("new", "x"), { cacheControl: { revalidate: 60 } });
    expect(shown(await slow.get("/a", pageLook))).toBe("fresh");
    await request().revalidateTag("x", { expire: 60 });
    await slow.set("/a", page("newer", "x"), { cacheControl: { revalidate: 60 } });
    expect(shown(await slow.get("/a", pageLook))).toBe("fresh");
  });

  test("are one with those of the handler for use cache over the same space", async () => {
    await render("/a", page("a", "x"), { revalidate: 60 });
    await nextCacheHandler(cache).updateTags(["x"]);
    expect(await request().get("/a", pageLook)).toBeNull();
  });
});

test("pages and invalidations stay over a restart", async () => {
  const disk = { path: join(folder, "cache"), capacity: "32mb" };
  const reopen = async (): Promise<void> => {
    await cache.close();
    cache = await openCache({ memory: "8mb", disk });
    Class = nextIsrHandler(cache);
  };
  await reopen();
  await render("/a", page("a", "x"), { revalidate: 60, expire: 3600 });
  await render("/b", page("b", "y"), { revalidate: 60, expire: 3600 });
  await request().revalidateTag("y");
  await reopen();
  expect((await request().get("/a", pageLook))?.value).toStrictEqual(page("a", "x"));
  expect(await request().get("/b", pageLook)).toBeNull();
});

test("nothing rejects: what the cache cannot hold, or a closed one, is a miss", async () => {
  const huge = { ...page("a"), html: "x".repeat(12 * 1024 * 1024) };
  await render("/a", page("a"), { revalidate: 60 });
  await render("/a", huge, { revalidate: 60 });
  expect(await request().get("/a", pageLook)).toBeNull();
  await request().set("/a", page("a"), { cacheControl: { revalidate: 60, expire: 0 } });
  expect(await request().get("/a", pageLook)).toBeNull();
  request().resetRequestCache();
  await cache.close();
  expect(await request().get("/a", pageLook)).toBeNull();
  await request().set("/a", page("a"), {});
  await request().revalidateTag("x");
});

test("another thing than a cache is refused", () => {
  expect(() => nextIsrHandler({} as never)).toThrow(/^Cannot make a cache handler for Next: /);
});
