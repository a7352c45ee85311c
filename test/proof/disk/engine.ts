// The built package in one thread: the janitor does a round when it is told to, the lock of a
// directory is always free, and files are where the proof says. Made of a copy in a temporary
// folder, so that a mutant can be run as well as the real one. Everything else is as it ships.
import crypto from "node:crypto";
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
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

import type { FileSystem } from "../../../src/device/mod.js";
import type { Cache, CacheOptions } from "../../../src/mod.js";

/** The package as it was compiled, module by module. */
const builtModules: string = fileURLToPath(new URL("../../../modules/", import.meta.url));
const nodeModules = fileURLToPath(new URL("../../../../node_modules", import.meta.url));

/** A change of a built module; its text is there exactly once. */
export interface Patch {
  /** Under src/. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** What the janitor does between two sleeps. False: it has ended. */
const oneRound = `    step() {
        if (this.#kernel.control.isStopRequested()) {
            this.#finish();
            // As the end of its thread does.
            this.#disk?.own.files.close();
            return false;
        }
        this.#round();
        return true;
    }
    run() {`;

const inOneThread: readonly Patch[] = [
  { file: "janitor/janitor.js", from: "    run() {", to: oneRound },
  // What a round gets done by the clock follows from the seed alone.
  {
    file: "base/timers.js",
    from: "export const elapsedMs = Reflect.get(",
    to:
      "let elapsed = 0;\nexport const elapsedMs = () => (elapsed += 0.01);\n" +
      "export const realMs = Reflect.get(",
  },
  // Timers that a test of fakes needs; an open in memory takes less than one of them.
  {
    file: "base/timers.js",
    from: "export async function assertTimersRun() {",
    to: "export async function assertTimersRun() {\n    return;",
  },
];

/** The lock, in a file system that has no sockets; other tests have it. */
const freeLock = `
export const isNameTaken = async () => false;
export const pipeName = () => "";
export async function acquireLock() {
  return {
    isHeld: () => true,
    lost: new Promise(() => undefined),
    answer: () => undefined,
    release: async () => undefined,
  };
}
`;

/** The pool's threads, in the thread of the proof. */
const threadsInTurn = `
import { Janitor } from "./src/janitor/janitor.js";
import { threadId } from "node:worker_threads";

export const janitors = new Set();

export function startThreads() {
  let own;
  return {
    threads: [{ threadId, once: () => undefined }],
    queueSize: 0,
    on: () => undefined,
    async run(task) {
      own = await Janitor.start(task);
      janitors.add(own);
      return "started";
    },
    async destroy() {
      janitors.delete(own);
    },
  };
}
`;

interface Janitor {
  step(): boolean;
}

export interface Engine {
  openCache(options: CacheOptions<string>): Promise<Cache<string>>;
  useFileSystem(files: FileSystem): void;
  /** Waits for a call of a cache, while the janitors work. Rejects after so many turns. */
  attend<T>(call: Promise<T>, turnsMax?: number): Promise<T>;
  /** The janitors do so many rounds. */
  rounds(count: number): void;
  /** From now on what is random in the engine follows from these numbers. */
  seed(random: () => number): void;
  /** Deletes the copy. */
  remove(): void;
}

function patched(source: string, { file, from, to }: Patch): void {
  const path = join(source, file);
  const text = readFileSync(path, "utf8");
  const times = text.split(from).length - 1;
  if (times !== 1) throw new Error(`${file} has ${JSON.stringify(from)} ${times} times`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
}

/** The source maps name sources that are not there. */
function withoutMap(path: string): void {
  writeFileSync(path, readFileSync(path, "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, ""));
}

/** Loads a copy of the package with these changes. */
export async function loadEngine(patches: readonly Patch[] = []): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), "undercroft-engine-"));
  const source = join(folder, "src");
  cpSync(join(builtModules, "src"), source, {
    recursive: true,
    filter: (path) => !path.endsWith(".map"),
  });
  for (const name of readdirSync(source, { recursive: true, encoding: "utf8" })) {
    if (name.endsWith(".js")) withoutMap(join(source, name));
  }
  writeFileSync(join(source, "directory/owner/lock.js"), freeLock);
  writeFileSync(join(folder, "threads.js"), threadsInTurn);
  const imports = { "#threads": "./threads.js" };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", imports }));
  symlinkSync(realpathSync(nodeModules), join(folder, "node_modules"), "dir");
  for (const patch of [...inOneThread, ...patches]) patched(source, patch);
  const load = async (file: string): Promise<unknown> =>
    import(pathToFileURL(join(folder, file)).href) as Promise<unknown>;
  const { openCache } = (await load("src/mod.js")) as Pick<Engine, "openCache">;
  const { useFileSystem } = (await load("src/device/mod.js")) as Pick<Engine, "useFileSystem">;
  const { janitors } = (await load("threads.js")) as { readonly janitors: Set<Janitor> };
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  return { openCache, useFileSystem, remove, seed, ...inTurn(janitors) };
}

/** Seeds, nonces and salts, in this thread. Their users import them by name. */
function seed(random: () => number): void {
  crypto.randomBytes = ((size: number) =>
    Buffer.from(Array.from({ length: size }, () => random() * 256))) as typeof crypto.randomBytes;
  syncBuiltinESMExports();
}

function inTurn(janitors: Set<Janitor>): Pick<Engine, "attend" | "rounds"> {
  const rounds = (count: number): void => {
    for (let round = 0; round < count; round++) {
      for (const one of janitors) if (!one.step()) janitors.delete(one);
    }
  };
  const attend = async <T>(call: Promise<T>, turnsMax = Infinity): Promise<T> => {
    let isOver = false;
    const over = call.finally(() => {
      isOver = true;
    });
    over.catch(() => undefined);
    for (let turns = 0; !isOver; turns++) {
      if (turns > turnsMax) throw new Error(`it has not ended after ${turnsMax} turns`);
      rounds(1);
      await turn();
    }
    return over;
  };
  return { attend, rounds };
}
