// Two applications of Next over the packed package, each built into standalone output by several workers, started,
// asked, invalidated, stopped, killed and built anew: use-cache/ has `cacheHandlers`, isr/ has `cacheHandler`.
// `npm run next-app -- WORD` runs the one whose name contains the word. Next is installed in a temporary folder from
// package.json. Exits with 1 if an answer is wrong, with 77 if Next cannot be installed.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../../../", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "undercroft-next-app-"));
process.once("exit", () => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }));
const say = (text) => process.stdout.write(`${text}\n`);

/** Milliseconds until what happens in the background has happened. */
const waitMs = 30_000;

function install() {
  cpSync(join(here, "package.json"), join(scratch, "package.json"));
  const packing = ["pack", "--ignore-scripts", "--json", "--pack-destination", scratch];
  const [{ filename }] = JSON.parse(execFileSync("npm", packing, { cwd: root, encoding: "utf8" }));
  const flags = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
  const args = ["install", ...flags, "--prefer-offline", `./${filename}`];
  const { status, stderr } = spawnSync("npm", args, { cwd: scratch, encoding: "utf8" });
  if (status === 0) return;
  say(`cannot run here: the registry does not give what package.json names: ${stderr}`);
  process.exit(77);
}

/** What the pages of isr/ ask; counts how often. */
async function startOrigin() {
  const origin = { asked: 0, url: "" };
  const server = createServer((_request, response) => response.end(`${++origin.asked}`));
  await once(server.listen(0, "127.0.0.1"), "listening");
  server.unref();
  origin.url = `http://127.0.0.1:${server.address().port}/`;
  return origin;
}

/** Next takes port 0 for 3000. */
async function freePort() {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return `${port}`;
}

class App {
  constructor(name, origin) {
    this.name = name;
    this.folder = join(scratch, name);
    cpSync(join(here, name), this.folder, { recursive: true });
    // By it Next says what its server is: a module.
    writeFileSync(join(this.folder, "package.json"), '{ "private": true, "type": "module" }');
    this.env = {
      ...process.env,
      CACHE: join(scratch, `${name}-cache`),
      ORIGIN: origin.url,
      NEXT_TELEMETRY_DISABLED: "1",
    };
  }

  async build() {
    const command = join(scratch, "node_modules/next/dist/bin/next");
    const child = spawn(process.execPath, [command, "build"], { cwd: this.folder, env: this.env });
    const said = textOf(child);
    const [status] = await once(child, "exit");
    assert.equal(status, 0, said());
    assert.doesNotMatch(said(), /ERR_|UndercroftAdapterWarning/);
    const workers = /Generating static pages using (\d+) workers/.exec(said())?.[1];
    assert.equal(workers, "3", said());
  }

  async start() {
    const cwd = join(this.folder, ".next/standalone", this.name);
    const env = { ...this.env, HOSTNAME: "127.0.0.1", PORT: await freePort() };
    this.server = spawn(process.execPath, ["server.js"], { cwd, env });
    this.said = textOf(this.server);
    await until("the server is there", async () => {
      assert.equal(this.server.exitCode, null, this.said());
      this.address = /http:\/\/127[\d.]+:\d+/.exec(this.said())?.[0];
      return this.address !== undefined;
    });
  }

  async stop(signal) {
    this.server.kill(signal);
    await once(this.server, "exit");
    assert.doesNotMatch(this.said(), /Error|ERR_|Warning/);
  }

  async text(path) {
    const response = await fetch(`${this.address}${path}`);
    const text = await response.text();
    assert.equal(response.status, 200, `${text} ${this.said()}`);
    return text;
  }

  async number(path) {
    const text = await this.text(path);
    const found = /"number":(\d+)|number=(\d+)/.exec(text);
    assert.notEqual(found, null, text);
    return Number(found[1] ?? found[2]);
  }

  async revalidate(what) {
    const body = JSON.stringify(what);
    const response = await fetch(`${this.address}/revalidate`, { method: "POST", body });
    assert.equal(response.status, 200, this.said());
  }
}

function textOf(child) {
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => (said += text));
  }
  return () => said;
}

async function until(what, isSo) {
  const end = performance.now() + waitMs;
  while (!(await isSo())) {
    assert.ok(performance.now() < end, `not within ${waitMs} ms: ${what}`);
    await setTimeout(50);
  }
}

/** The number at a path stays until it is invalidated: by a tag softly and at once, and by its path. */
async function invalidates(app, path, tag) {
  let number = await app.number(path);
  const same = async (other) => assert.equal(await app.number(other ?? path), number);
  const changed = async (what) => {
    const other = await app.number(path);
    assert.notEqual(other, number, what);
    number = other;
    await same();
  };
  await same();
  if (tag !== undefined) {
    await app.revalidate({ tag, profile: "max" });
    await same(); // stale, and made anew behind it
    await until("a new number", async () => (await app.number(path)) !== number);
    number = await app.number(path);
    await same();
    await app.revalidate({ tag, profile: { expire: 0 } });
    await changed("by its tag");
  }
  await app.revalidate({ path });
  await changed("by its path");
  return number;
}

/** What is there stays over a stop, and what was invalidated before a kill does not come back. */
async function restarts(app, path, gone) {
  const number = await app.number(path);
  await app.stop("SIGTERM");
  await app.start();
  assert.equal(await app.number(path), number, "over a restart");
  await app.revalidate(gone);
  await app.stop("SIGKILL");
  await app.start();
  assert.notEqual(await app.number(path), number, "after a kill");
}

const apps = {
  async "use-cache"(app) {
    await invalidates(app, "/number", "numbers");
    await app.number("/page/1");
    assert.equal(await app.number("/page/2"), await app.number("/number"), "one number for all");
    const number = await app.number("/page/1");
    await app.revalidate({ path: "/page/1" });
    assert.notEqual(await app.number("/page/1"), number, "a path ends what its page shows");
    assert.ok((await app.number("/stats")) > 32, "a route finds the cache of the handler");
    await restarts(app, "/number", { tag: "number-shared", profile: { expire: 0 } });
  },
  async isr(app, origin) {
    for (const path of ["/page/99", "/page/1"]) await invalidates(app, path, "data");
    await invalidates(app, "/route/99");
    const { asked } = origin;
    const pages = ["/page/99", "/page/98", "/page/97"];
    await Promise.all(pages.map((path) => app.number(path)));
    assert.equal(origin.asked, asked, "fetch is cached");
    await restarts(app, "/page/99", { tag: "data", profile: { expire: 0 } });
    const number = await app.number("/page/99");
    await app.stop("SIGTERM");
    await app.build();
    await app.start();
    const askedBefore = origin.asked;
    assert.notEqual(await app.number("/page/99"), number, "a page of another build");
    assert.equal(origin.asked, askedBefore, "fetch is for later builds too");
  },
};

install();
const origin = await startOrigin();
for (const [name, check] of Object.entries(apps)) {
  if (!name.includes(process.argv[2] ?? "")) continue;
  const app = new App(name, origin);
  mkdirSync(app.env.CACHE);
  const started = performance.now();
  try {
    await app.build();
    await app.start();
    await check(app, origin);
    await app.stop("SIGTERM");
    say(`${name}: right, in ${Math.round((performance.now() - started) / 1000)} s`);
  } catch (error) {
    process.exitCode = 1;
    say(`${name}: ${error.stack}\n${app.said?.() ?? ""}`);
    app.server?.kill("SIGKILL");
  }
}
