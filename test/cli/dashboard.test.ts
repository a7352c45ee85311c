// `undercroft dashboard` on real processes: what it serves, what it refuses, and how it ends.
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { View } from "../../dist/src/cli/dashboard/view.js";
import { Series } from "../../dist/src/cli/dashboard/chart-series.js";
import { mapCellsMax, type Sample, segmentMap } from "../../dist/src/operators/mod.js";
import { openCache } from "../../dist/src/mod.js";
import { Processes } from "./dashboard-process.js";

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** One request; unlike fetch it may name any host. */
function ask(url: string, options: http.RequestOptions = {}, body = ""): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, options, (response) => {
      let said = "";
      response.setEncoding("utf8").on("data", (text: string) => (said += text));
      response.once("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: said });
      });
    });
    request.once("error", reject).end(body);
  });
}

let folder: string;
let processes: Processes;
const begin = (): void => {
  folder = fs.mkdtempSync(join(tmpdir(), "undercroft-dashboard-"));
  processes = new Processes(folder);
};
const end = async (): Promise<void> => {
  await processes.end();
  fs.rmSync(folder, { recursive: true, force: true });
};
const startCache = (options: object = {}): ReturnType<Processes["cache"]> =>
  processes.cache({
    name: "patterns",
    disk: { path: join(folder, "cache"), capacity: "16mb" },
    ...options,
  });

async function view(url: string, since = 0): Promise<View> {
  let answer = await ask(`${url}data?since=${since}`);
  await expect
    .poll(async () => (answer = await ask(`${url}data?since=${since}`)).status, { timeout: 30_000 })
    .toBe(200);
  return JSON.parse(answer.body) as View;
}

describe("over one cache", () => {
  let url: string;
  let writable: string;
  let cache: Awaited<ReturnType<typeof startCache>>;
  beforeAll(async () => {
    begin();
    cache = await startCache();
    ({ url } = await processes.dashboard([join(folder, "cache")]));
    ({ url: writable } = await processes.dashboard([join(folder, "cache"), "--write", "--names"]));
  });
  afterAll(end);

  test("serves a page that needs nothing from elsewhere, and is small", async () => {
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/$/);
    const page = await ask(url);
    expect(page.status).toBe(200);
    expect(page.headers["content-security-policy"]).toMatch(
      /^default-src 'none'; script-src 'self'/,
    );
    expect(page.headers).toMatchObject({
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    });
    let bytes = page.body.length;
    for (const [name, type] of [
      ["page.js", "text/javascript"],
      ["ask.js", "text/javascript"],
      ["draw.js", "text/javascript"],
      ["words.js", "text/javascript"],
      ["page.css", "text/css"],
    ]) {
      const part = await ask(`${url}${name}`);
      expect([name, part.status, part.headers["content-type"]]).toEqual([
        name,
        200,
        `${type}; charset=utf-8`,
      ]);
      expect(part.body.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|\/\/\w/);
      bytes += part.body.length;
    }
    expect(bytes).toBeLessThan(25 * 1024);
  });

  test.each([
    ["no token", "/", {}],
    ["another token", `/${"x".repeat(32)}/`, {}],
    ["a token that is cut", "cut", {}],
    ["another host", "", { host: "rebound.example" }],
    ["another port of the host", "", { host: "127.0.0.1:1" }],
    ["the token as a query", "query", {}],
  ])("refuses %s", async (_name, path, headers) => {
    const { origin, pathname } = new URL(url);
    const paths: Readonly<Record<string, string>> = {
      "": pathname,
      cut: `${pathname.slice(0, -2)}/`,
      query: `/?token=${pathname.slice(1, -1)}`,
    };
    for (const name of ["", "data", "page.js"]) {
      const answer = await ask(`${origin}${paths[path] ?? path}${name}`, { headers });
      expect([name, answer.status]).toEqual([name, 403]);
      expect(answer.body).not.toContain("patterns");
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    }
  });

  test("answers localhost, and no request without a host", async () => {
    const { port } = new URL(url);
    const local = await ask(url, { headers: { host: `localhost:${port}` } });
    expect(local.status).toBe(200);
    const socket = net.connect(Number(port), "127.0.0.1").setEncoding("utf8");
    let said = "";
    socket.on("data", (text: string) => (said += text));
    socket.end(`GET ${new URL(url).pathname} HTTP/1.0\r\n\r\n`);
    await new Promise((resolve) => socket.once("close", resolve));
    expect(said).toMatch(/^HTTP\/1\.1 403 /);
  });

  test("answers GET only, and no file but its own", async () => {
    for (const method of ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]) {
      expect([method, (await ask(url, { method })).status]).toEqual([method, 405]);
      expect([method, (await ask(`${url}data`, { method })).status]).toEqual([method, 405]);
    }
    expect((await ask(`${url}key`)).status).toBe(404);
    for (const name of ["page.ts", "..%2f..%2fmain.js", "page.js/", "x/page.js"]) {
      expect([name, (await ask(`${url}${name}`)).status]).toEqual([name, 404]);
    }
    expect((await ask(url.slice(0, -1))).status).toBe(404);
  });

  test("listens on loopback only", async () => {
    const others = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter(({ internal, family }) => !internal && family === "IPv4");
    for (const { address } of [...others, { address: "127.0.0.2" }]) {
      const there = `http://${address}:${new URL(url).port}/`;
      await expect(ask(there)).rejects.toThrow(/ECONNREFUSED|EADDRNOTAVAIL|EHOSTUNREACH/);
    }
  });

  const json = { "content-type": "application/json" };
  const question = JSON.stringify({ act: "look", namespace: "users", key: "7" });
  const post = (to: string, headers: object, body = question): Promise<Answer> =>
    ask(`${to}key`, { method: "POST", headers: { ...json, ...headers } }, body);

  test("asks for no key without --write, nor for another page", async () => {
    const { origin } = new URL(url);
    expect((await post(url, { origin })).status).toBe(403);
    const own = new URL(writable).origin;
    expect((await post(writable, {})).status).toBe(403);
    expect((await post(writable, { origin })).status).toBe(403);
    expect((await post(writable, { origin: "null" })).status).toBe(403);
    expect((await post(writable, { origin: own, "content-type": "text/plain" })).status).toBe(415);
    expect((await post(`${own}/${"x".repeat(32)}/`, { origin: own })).status).toBe(403);
    const host = "rebound.example";
    expect((await post(writable, { origin: `http://${host}`, host })).status).toBe(403);
    for (const body of ["", "[]", "null", '{"act":"clear","namespace":"","key":"7"}', "{"]) {
      const { status, body: said } = await post(writable, { origin: own }, body);
      expect([body, status]).toEqual([body, 400]);
      expect(said).toContain("look, expire, delete");
    }
    const long = JSON.stringify({ act: "look", namespace: "", key: "x".repeat(5000) });
    expect((await post(writable, { origin: own }, long)).status).toBe(413);
  });

  test("tells of a key, lets it expire and deletes it, and tells no value", async () => {
    const { origin } = new URL(writable);
    const act = async (what: string, namespace: string, key: string): Promise<unknown> => {
      const body = JSON.stringify({ act: what, namespace, key });
      const answer = await post(writable, { origin }, body);
      expect([answer.status, answer.body.includes("Ada")]).toEqual([200, false]);
      return JSON.parse(answer.body);
    };
    const found = { outcome: "found", entry: { expiresAt: null, tags: [] } };
    expect(await act("look", "users", "7")).toMatchObject(found);
    expect(await act("look", "", "7")).toMatchObject({ outcome: "absent", entry: null });
    expect(await act("look", "nobody", "7")).toMatchObject({
      error: 'there is no namespace "nobody"',
    });
    expect(await act("look", "users", "")).toMatchObject({ error: expect.stringContaining("key") });
    expect(await act("expire", "users", "7")).toMatchObject({ outcome: "expired" });
    await expect
      .poll(() => act("look", "users", "7"), { timeout: 30_000 })
      .toMatchObject({ outcome: "absent" });
    expect(await act("expire", "users", "7")).toMatchObject({ outcome: "absent" });
    expect(await act("delete", "", "loaded")).toMatchObject({ outcome: "deleted" });
    expect(await act("delete", "", "loaded")).toMatchObject({ outcome: "absent" });
  });

  test("tells each view its data", async () => {
    await cache.tell("attach");
    await expect
      .poll(async () => (await view(url)).stats.threads.attached, { timeout: 30_000 })
      .toBe(2);
    const told = await view(url);
    expect(told).toMatchObject({
      name: "patterns",
      path: join(folder, "cache"),
      write: false,
      windows: { open: { loads: 1, evictions: { memory: 0 } } },
      stats: { tags: { tracked: 0 }, tuning: { changes: 0 }, disk: { state: "up" } },
      troubles: { "disk errors": 0 },
      details: {
        policy: { name: "auto", worth: "hits", setting: { victim: "share", keep: "count" } },
      },
    });
    const users = told.spaces.find(({ name }) => name === "users");
    expect(users).toMatchObject({ memory: { shareBytes: 2 * 1024 * 1024 } });
    const { memory, disk, threads } = told.details ?? {};
    const segments = memory?.cells.reduce((sum, [a, b, c, d]) => sum + a + b + c + d, 0);
    expect([segments, memory?.perCell]).toEqual([memory?.segments, 1]);
    expect(memory?.cells.some(([, open]) => open === 1)).toBe(true);
    expect(disk?.segments).toBeGreaterThan(0);
    const attached = threads?.filter(({ isPool }) => !isPool) ?? [];
    expect(attached.map(({ workerId }) => workerId)).toEqual([0, 0]);
    expect(attached[0]).toMatchObject({ loads: 1 });
    expect(attached[1]).toMatchObject({ requests: 6400, hits: 0 });
    expect(told.keys.every(({ key }) => key === undefined)).toBe(true);
    await expect
      .poll(async () => (await view(writable)).keys.map(({ key }) => key), { timeout: 30_000 })
      .toContain("from the other");
    const newest = told.seconds.at(-1)?.atMs ?? 0;
    expect((await view(url, newest)).seconds.every(({ atMs }) => atMs > newest)).toBe(true);
  });
});

describe("as a command", () => {
  beforeEach(begin);
  afterEach(end);

  test("ends with the cache, or by a signal", async () => {
    const cache = await startCache();
    const path = join(folder, "cache");
    const first = await processes.dashboard([path]);
    const second = await processes.dashboard([path]);
    await view(second.url);
    second.child.kill("SIGTERM");
    expect(await second.ended).toEqual({ code: 0, warned: "" });
    await view(first.url);
    await cache.tell("close");
    const closed = "undercroft: The cache was closed, or its process has ended\n";
    expect(await first.ended).toEqual({ code: 1, warned: closed });
    await expect(ask(first.url)).rejects.toThrow("ECONNREFUSED");
  });

  test("finds a cache by its name, and has no disk to show then", async () => {
    await processes.cache({ name: "sessions", operators: true });
    const { url } = await processes.dashboard(["sessions"]);
    expect(await view(url)).toMatchObject({
      name: "sessions",
      path: null,
      details: { disk: null },
    });
  });

  test("refuses what it cannot serve, each in one line", async () => {
    await startCache();
    const path = join(folder, "cache");
    const taken = new URL((await processes.dashboard([path])).url).port;
    for (const [words, why] of [
      [[path, "--port", taken], /another program has it; name another by --port/],
      [[path, "--port", "65536"], /--port is "65536"; it must be a whole number from 0 to 65535/],
      [[path, "--open"], /Unknown option '--open'/],
      [[path, path], /Cannot serve 2 caches/],
      [["nobody"], /this user has none open/],
      [[join(folder, "no/such")], /there is no such directory/],
    ] as const) {
      const { code, warned } = await (await processes.dashboard(words)).ended;
      expect([words, code]).toEqual([words, 2]);
      expect(warned).toMatch(why);
      expect(warned.trimEnd()).not.toContain("\n");
    }
  });
});

test("the points over time are bounded: 300 of a second, 360 of ten", async () => {
  const cache = await openCache({ memory: "4mb" });
  const series = new Series();
  const sample = { name: "", openMs: 1, stats: cache.stats() } as Sample;
  for (let second = 0; second <= 7200; second++) {
    series.add({ ...sample, openMs: 1 + second * 1000 }, second * 1000, second * 1000);
  }
  const { seconds, coarse } = series.since(-1);
  expect([seconds.length, coarse.length]).toEqual([300, 360]);
  expect(seconds.at(-1)?.atMs).toBe(7_200_000);
  expect(coarse.map(({ atMs }) => atMs).slice(0, 2)).toEqual([3_610_000, 3_620_000]);
  expect(series.since(7_199_000)).toMatchObject({ seconds: [{ atMs: 7_200_000 }] });
  await cache.close();
});

test("a map has at most so many cells, and counts each segment once", () => {
  for (const segments of [0, 1, mapCellsMax, mapCellsMax + 1, 4096, 100_001]) {
    const { cells, perCell } = segmentMap(segments, 10, (segment) => {
      const isFree = segment % 2 === 0;
      return { state: isFree ? "free" : "sealed", usedBytes: isFree ? 0 : 8, liveBytes: 3 };
    });
    expect(cells.length).toBeLessThanOrEqual(mapCellsMax);
    expect(cells.length * perCell).toBeGreaterThanOrEqual(segments);
    const sum = (column: number): number =>
      cells.reduce((all, cell) => all + (cell[column] as number), 0);
    expect([sum(0) + sum(2), sum(2), sum(4)]).toEqual([
      segments,
      Math.floor(segments / 2),
      Math.floor(segments / 2) * 8,
    ]);
  }
});
