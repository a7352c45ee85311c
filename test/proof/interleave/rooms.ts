// A copy of the built package whose memory tier, eviction, flushing and recovery are coroutines,
// loaded beside the engine. Called by world.ts. The copy is in a temporary folder, so that a
// patched build can be run as well as the real one.

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

import type * as kernel from "../../../src/kernel/mod.js";
import type * as flightLayout from "../../../src/kernel/flight-layout.js";
import type * as layout from "../../../src/kernel/layout.js";
import type * as memory from "../../../src/memory/mod.js";
import type * as record from "../../../src/record/mod.js";
import type * as stats from "../../../src/stats/mod.js";
import { toCoroutines } from "./coroutines.js";

/** Files whose functions run step by step, with the functions in them that only compute, or that
 *  read in one step. Every file that reads or writes words of other threads is here. Files that
 *  read only the results of a thread's own call, such as words/call-results.js and
 *  near/near-rows.js, are not. */
const stepped: Readonly<Record<string, readonly string[]>> = {
  "memory/large-value.js": [
    "inlineBytesMax",
    "valueBytesMax",
    "chunkBytesOf",
    "headOf",
    "largeValueOf",
    "chunkKey",
    "numbersOf",
    // Of a value's own bytes: it touches no shared memory.
    "append",
  ],
  "memory/memory-reader.js": [],
  "memory/memory-writer.js": ["isBytes", "refusalOf"],
  "kernel/key-window.js": ["mix"],
  "kernel/words/control-block.js": [],
  "kernel/words/pending-tombstones.js": ["wordsOf", "hasPendingTombstone"],
  "kernel/words/segment-table.js": [],
  "kernel/words/shared-records.js": ["extensionBytesOf"],
  "kernel/threads/thread-lock.js": [],
  "near/near-cache.js": [],
  "near/invalidation-reader.js": [],
  "eviction/evictor.js": [],
  "eviction/unwritten.js": [],
  "eviction/whole-value.js": [],
  "disk-log/flusher.js": [],
  "disk-log/admission/flush-admission.js": [],
  "disk-log/retry-while-busy.js": [],
  "janitor/tag-sweeper.js": [],
  // The holder of a thread id is read in one step; reconciling what a holder left takes many.
  "kernel/threads/thread-table.js": [
    "takeOverThreadId",
    "claimThread",
    "deadHolderOf",
    "incarnationOf",
    "isMortal",
    "isStill",
    "holderOf",
    "holdersOfWorker",
    "lockWordOf",
    "nameHolder",
    "ownState",
    "threadsAttached",
    "wordOf",
    "workerIdOf",
  ],
};

export interface Rooms {
  readonly kernel: typeof kernel;
  readonly layout: Layout;
  readonly memory: typeof memory;
  readonly record: typeof record;
  readonly stats: typeof stats;
  readonly threadTable: Record<string, unknown>;
  readonly nearCache: Record<string, unknown>;
  readonly evictor: Record<string, unknown>;
  readonly admission: Record<string, unknown>;
  readonly flusher: Record<string, unknown>;
  readonly tagSweeper: Record<string, unknown>;
  readonly kernelBytes: Uint8Array;
}

/** The names of the words in shared memory. */
export type Layout = typeof layout & typeof flightLayout;

/** The package as it was compiled, module by module. */
export const builtPackage: string = fileURLToPath(new URL("../../../modules/src", import.meta.url));

/** The source maps name sources that are not there. */
function withoutMap(path: string): void {
  writeFileSync(path, readFileSync(path, "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, ""));
}

/** What must be removed when the process ends: a module can be loaded from there at any time until
 *  then. */
const folders: string[] = [];

function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Loads the package under `source` (as `dist/modules/src`) as coroutines. */
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
    layout: {
      ...((await load("kernel/layout.js")) as typeof layout),
      ...((await load("kernel/flight-layout.js")) as typeof flightLayout),
    },
    memory: (await load("memory/mod.js")) as typeof memory,
    record: (await load("record/mod.js")) as typeof record,
    stats: (await load("stats/mod.js")) as typeof stats,
    threadTable: (await load("kernel/threads/thread-table.js")) as Record<string, unknown>,
    nearCache: (await load("near/near-cache.js")) as Record<string, unknown>,
    evictor: (await load("eviction/evictor.js")) as Record<string, unknown>,
    admission: (await load("disk-log/admission/flush-admission.js")) as Record<string, unknown>,
    flusher: (await load("disk-log/flusher.js")) as Record<string, unknown>,
    tagSweeper: (await load("janitor/tag-sweeper.js")) as Record<string, unknown>,
    // The checked build, which traps when an assumption does not hold; a mutant has its own kernel.
    kernelBytes: readFileSync(
      source === builtPackage
        ? join(builtPackage, "../../test/kernel/kernel-checked.wasm")
        : join(target, "kernel/kernel.wasm"),
    ),
  };
}
