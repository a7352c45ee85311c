// A copy of the built package whose memory tier, eviction, flushing and recovery are coroutines, loaded beside the engine.
// Called by world.ts. The copy lies in a temporary folder, so that a patched build can be run as well as the real one.

import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import type * as janitor from "../../../src/janitor/mod.js";
import type * as kernel from "../../../src/kernel/mod.js";
import type * as memory from "../../../src/memory/mod.js";
import type * as record from "../../../src/record/mod.js";
import type * as policy from "../../../src/policy/mod.js";
import type * as stats from "../../../src/stats/mod.js";
import { toCoroutines } from "./coroutines.js";

/** Files whose functions are run step by step, with the functions in them that only compute. */
const stepped: Readonly<Record<string, readonly string[]>> = {
  "memory/memory-store.js": [],
  "memory/key-window.js": [],
  "memory/segments.js": [],
  "cache/near-cache.js": [],
  "cache/invalidation-reader.js": [],
  "janitor/evictor.js": [],
  "janitor/flusher.js": [],
  "janitor/admission.js": [],
  "janitor/retry-while-busy.js": [],
  // What a place and its holder are is read at one step; putting it in order takes many.
  "kernel/thread-table.js": [
    "takeOverThreadId",
    "claimThread",
    "deadHolderOf",
    "incarnationOf",
    "isStill",
    "holderOf",
    "holdersOfWorker",
    "lockWordOf",
    "nameHolder",
    "ownState",
    "threadsAttached",
    "wordOf",
  ],
};

export interface Rooms {
  readonly kernel: typeof kernel;
  readonly memory: typeof memory;
  readonly janitor: typeof janitor;
  readonly policy: typeof policy;
  readonly record: typeof record;
  readonly stats: typeof stats;
  readonly threadTable: Record<string, unknown>;
  readonly nearCache: Record<string, unknown>;
  readonly evictor: Record<string, unknown>;
  readonly admission: Record<string, unknown>;
  readonly flusher: Record<string, unknown>;
  readonly kernelBytes: Uint8Array;
}

/** The names of the words in shared memory. */
export type Layout = Rooms["kernel"]["layout"];

/** The package as it was built. */
export const builtPackage: string = fileURLToPath(new URL("../../../src", import.meta.url));

/** The maps name sources that are not there. */
function withoutMap(path: string): void {
  writeFileSync(path, readFileSync(path, "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, ""));
}

/** What is to be removed when the process ends: a module can be loaded from there at any time until then. */
const folders: string[] = [];

function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Loads the package under `source` (a `dist/src` folder) as coroutines. */
export async function loadRooms(source: string): Promise<Rooms> {
  const folder = mkdtempSync(join(tmpdir(), "undercroft-interleave-"));
  if (folders.length === 0) process.once("exit", removeFolders);
  folders.push(folder);
  const target = join(folder, "src");
  cpSync(source, target, { recursive: true, filter: (path) => !path.endsWith(".map") });
  for (const file of readdirSync(target, { recursive: true, encoding: "utf8" })) {
    if (file.endsWith(".js")) withoutMap(join(target, file));
  }
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  const modules = fileURLToPath(new URL("../../../../node_modules", import.meta.url));
  symlinkSync(realpathSync(modules), join(folder, "node_modules"), "dir");
  const suspension = new URL("suspension.js", import.meta.url).href;
  for (const [file, plain] of Object.entries(stepped)) {
    const path = join(target, file);
    const text = toCoroutines(file, readFileSync(path, "utf8"), new Set(plain));
    writeFileSync(path, text.replace("@suspension", suspension));
  }
  const load = async (file: string): Promise<unknown> =>
    import(pathToFileURL(join(target, file)).href) as Promise<unknown>;
  return {
    kernel: (await load("kernel/mod.js")) as typeof kernel,
    memory: (await load("memory/mod.js")) as typeof memory,
    janitor: (await load("janitor/mod.js")) as typeof janitor,
    record: (await load("record/mod.js")) as typeof record,
    policy: (await load("policy/mod.js")) as typeof policy,
    stats: (await load("stats/mod.js")) as typeof stats,
    threadTable: (await load("kernel/thread-table.js")) as Record<string, unknown>,
    nearCache: (await load("cache/near-cache.js")) as Record<string, unknown>,
    evictor: (await load("janitor/evictor.js")) as Record<string, unknown>,
    admission: (await load("janitor/admission.js")) as Record<string, unknown>,
    flusher: (await load("janitor/flusher.js")) as Record<string, unknown>,
    kernelBytes: readFileSync(join(target, "kernel/kernel.wasm")),
  };
}
