// Programs that tests run in their own processes: TypeScript files of a test folder, compiled into
// a scratch folder because Node 20 cannot run them as they are. Called by the tests that kill,
// starve or measure a process.

import { type ChildProcess, spawn } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import ts from "typescript";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The entry point of the built package. */
export const builtDoor = pathToFileURL(join(root, "dist/src/mod.js")).href;

/** A scratch folder that the caller removes. */
export function makeScratch(): string {
  return mkdtempSync(join(tmpdir(), "undercroft-crash-"));
}

export function removeScratch(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** Compiles the named files of the test folder at `folder` into `scratch`; returns the path of the
 *  first. */
export function compile(scratch: string, folder: URL, ...names: string[]): string {
  writeFileSync(join(scratch, "package.json"), '{ "type": "module" }');
  const outputs = names.map((name) => {
    const source = readFileSync(new URL(name, folder), "utf8");
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
    const output = join(scratch, basename(name).replace(/\.ts$/, ".js"));
    writeFileSync(output, ts.transpileModule(source, { compilerOptions }).outputText);
    return output;
  });
  return outputs[0] ?? "";
}

/** One change to a built file; `from` must be in it. */
export interface Patch {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Copies the package, each module a file, and breaks something in it; returns the address of its
 *  entry point. */
export function brokenCopy(scratch: string, patches: readonly Patch[]): string {
  const copy = join(scratch, "broken");
  mkdirSync(copy);
  for (const folder of ["src", "workers"]) {
    cpSync(join(root, "dist/modules", folder), join(copy, "dist", folder), {
      recursive: true,
      filter: (file) => !file.endsWith(".map"),
    });
  }
  // The workers as modules, so that what is broken is broken there too.
  for (const [file, module] of [
    ["janitor-worker.js", "janitor.js"],
    ["store-worker.js", "stores.js"],
  ] as const) {
    writeFileSync(join(copy, "dist/workers", file), `export * from "./${module}";\n`);
  }
  // Vitest would look for the source maps.
  for (const name of readdirSync(join(copy, "dist"), { recursive: true, encoding: "utf8" })) {
    const path = join(copy, "dist", name);
    if (!name.endsWith(".js")) continue;
    writeFileSync(path, readFileSync(path, "utf8").replace(/\n\/\/# sourceMappingURL=.*/, ""));
  }
  cpSync(join(root, "package.json"), join(copy, "package.json"));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  for (const { file, from, to } of patches) {
    const path = join(copy, "dist", file);
    const text = readFileSync(path, "utf8");
    if (text.split(from).length !== 2) throw new Error(`${file} has not exactly one ${from}`);
    writeFileSync(path, text.replace(from, to));
  }
  return pathToFileURL(join(copy, "dist/src/mod.js")).href;
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly errors: string;
}

/** A running program. What it writes to its standard output arrives line by line. */
export class Program {
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting = new Map<string, () => void>();

  /** `options` reach the program as its only argument, in JSON. Its young generation is kept small,
   *  so that the process's memory is the cache's. */
  constructor(file: string, options: unknown) {
    const flags = ["--expose-gc", "--max-semi-space-size=2"];
    this.#child = spawn(process.execPath, [...flags, file, JSON.stringify(options)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let rest = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#line(line);
    });
    let errors = "";
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => (errors += text));
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        for (const wake of this.#waiting.values()) wake();
        resolve({ code, signal, errors });
      });
    });
  }

  #line(line: string): void {
    this.#lines.push(line);
    this.#waiting.get(line)?.();
  }

  /** The lines written so far. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Resolves when the program has written this line, or has ended. */
  async said(line: string): Promise<void> {
    if (this.#lines.includes(line)) return;
    const heard = new Promise<void>((resolve) => this.#waiting.set(line, resolve));
    await Promise.race([heard, this.ended]);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The last line as JSON; the program must have ended by itself. */
  async result<T>(): Promise<T> {
    const { code, signal, errors } = await this.ended;
    if (code !== 0) throw new Error(`the program ended with ${code ?? signal}: ${errors}`);
    return JSON.parse(this.#lines.at(-1) ?? "null") as T;
  }
}
