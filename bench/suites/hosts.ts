// The same work on hosts of the adapters, over the store that each has by default and over ours,
// with default options on both sides. The hosts are installed in bench/hosts from a lockfile of its
// own, and the measured processes are there (bench/hosts/stores.js, faults.js).

import { execFile, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { Row, Suite } from "../suite.js";
import { TemporaryDirectory } from "../temporary-directory.js";

const folder = fileURLToPath(new URL("../../../bench/hosts/", import.meta.url));

/** Host to what its own store is called, and whether ours has no disk under it. */
const hosts: Readonly<Record<string, { readonly own: string; readonly noDisk?: boolean }>> = {
  keyv: { own: "Map" },
  cacheable: { own: "CacheableMemory" },
  "cache-manager": { own: "Map of keyv" },
  unstorage: { own: "memory driver" },
  bentocache: { own: "memory driver", noDisk: true },
  LangChain: { own: "InMemoryCache" },
  undici: { own: "MemoryCacheStore" },
  "AI SDK": { own: "none" },
};

function install(): void {
  if (existsSync(join(folder, "node_modules/.package-lock.json"))) return;
  const args = ["ci", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  const { status } = spawnSync("npm", args, { cwd: folder, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error("npm ci in bench/hosts failed: it needs a registry");
}

/** What a process of bench/hosts prints. */
async function measured<T>(script: string, args: readonly string[], port?: number): Promise<T> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--expose-gc", "--max-old-space-size=8192", script, ...args],
    {
      cwd: folder,
      env: port === undefined ? process.env : { ...process.env, HOSTS_PORT: `${port}` },
    },
  );
  return JSON.parse(stdout) as T;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

interface Found {
  readonly found: number;
  readonly grown: number;
}
interface Times {
  readonly set: number;
  readonly get: number;
  readonly found: number;
}

/** What a second life finds of what a first one put. */
async function afterRestart(host: string, store: string, directory: string[]): Promise<number> {
  const port = await freePort();
  await measured("stores.js", ["put", host, store, ...directory], port);
  return (await measured<Found>("stores.js", ["find", host, store, ...directory], port)).found;
}

async function storeRows(host: string): Promise<Row[]> {
  const { own = "", noDisk = false } = hosts[host] ?? {};
  const times = await measured<Times[]>("stores.js", ["times", host]);
  const rows: Row[] = [];
  for (const [at, store] of ["own", "undercroft"].entries()) {
    const { set = NaN, get = NaN, found = 0 } = times[at] ?? {};
    const many = await measured<Found>("stores.js", ["many", host, store]);
    const thread = await measured<Found>("stores.js", ["thread", host, store], await freePort());
    const directory = new TemporaryDirectory("hosts");
    const withDisk =
      store === "own" || noDisk ? "" : await afterRestart(host, store, [directory.path]);
    directory.remove();
    rows.push({
      host,
      store: store === "own" ? own : "undercroft",
      "us set": Number(set.toFixed(1)),
      "us get": Number(get.toFixed(1)),
      hits: found,
      "hits of many": many.found,
      "MiB with many": Math.round(many.grown),
      "hits after a restart": await afterRestart(host, store, []),
      "with a disk": withDisk,
      "hits in a second thread": thread.found,
    });
  }
  return rows;
}

/** The hosts' versions, as bench/hosts/package.json pins them. */
function versions(): Record<string, string> {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  return manifest.dependencies;
}

export const hostStores: Suite = {
  name: "hosts-stores",
  about:
    "The same work on a host over its own store and over ours, default options on both sides. " +
    "20,000 profiles of 5 fields, or 2,000 answers (undici, AI SDK): microseconds of a set of a " +
    "new key and of a get, median of 5 rounds in turns; hits. Many: 50,000 documents of 1 to " +
    "4 KiB (undici, AI SDK: 10,000 small answers): how many are found again, newest first, and " +
    "growth of the process. Then what a new process finds, without and with `disk`, and a " +
    "second thread.",
  cases: Object.keys(hosts),
  versions,
  run: async (host) => {
    install();
    return storeRows(host);
  },
};

export const hostFaults: Suite = {
  name: "hosts-faults",
  about:
    "What goes wrong of 100 tries on a host over its own store, over ours, and where our own " +
    "fetch or set does that work, with it.",
  cases: ["all"],
  versions,
  run: async () => {
    install();
    return measured<Row[]>("faults.js", []);
  },
};
