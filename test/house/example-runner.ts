// Type-checks and runs examples against the built package, which they import by its own name. One
// compiler program checks them all; a few processes run them, each example as its own module.
// Called by examples.test.ts. Invariant: everything is written in one temporary directory.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import ts from "typescript";

import { type Example, expectedOutput } from "./examples.js";

/** Packages of users that examples may import. */
const hosts = [
  "prom-client",
  "@opentelemetry",
  "node-sqlite3-wasm",
  "keyv",
  "@keyv",
  "unstorage",
  "bentocache",
  "ai",
  "undici",
];
const processCount = 2;
/** For a process that does not end; on a busy machine they take long. */
const timeoutMs = 150_000;

const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
  types: ["node"],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  moduleDetection: ts.ModuleDetectionKind.Force,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUnusedLocals: true,
  skipLibCheck: true,
  noEmit: true,
};

/** Runs the modules named in its arguments in order. Reports what each printed and threw. */
const driver = `
import { format } from "node:util";
const runs = {};
for (const module of process.argv.slice(2)) {
  const run = (runs[module] = { lines: [], error: null });
  console.log = (...words) => run.lines.push(format(...words));
  try {
    await import("./" + module);
  } catch (error) {
    run.error = String(error?.stack ?? error);
  }
}
process.stdout.write(JSON.stringify(runs));
`;

interface Run {
  readonly lines: readonly string[];
  readonly error: string | null;
}

/** The faults of the examples. Each begins with the example's name. */
export async function exampleFaults(root: string, examples: readonly Example[]): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), "undercroft-examples-"));
  try {
    const modules = examples.map((example, index) => ({ example, stem: `example-${index}` }));
    mkdirSync(join(directory, "node_modules"));
    mkdirSync(join(directory, "tmp"));
    symlinkSync(root, join(directory, "node_modules/undercroft"), "junction");
    for (const host of hosts) {
      symlinkSync(join(root, "node_modules", host), join(directory, "node_modules", host));
    }
    writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
    writeFileSync(join(directory, "driver.js"), driver);
    for (const { example, stem } of modules) {
      writeFileSync(join(directory, `${stem}.ts`), example.code);
      writeFileSync(join(directory, `${stem}.js`), emitted(example.code));
    }
    const files = new Map(modules.map(({ example, stem }) => [`${stem}.ts`, example.name]));
    const running = runAll(
      directory,
      modules.map(({ stem }) => `${stem}.js`),
    );
    const faults = typeFaults(root, directory, files);
    const runs = await running;
    for (const { example, stem } of modules) {
      faults.push(...runFaults(example, runs.get(`${stem}.js`)));
    }
    return faults;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function emitted(code: string): string {
  const options = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
  return ts.transpileModule(code, { compilerOptions: options }).outputText;
}

function typeFaults(root: string, directory: string, files: ReadonlyMap<string, string>): string[] {
  const paths = Array.from(files.keys(), (file) => join(directory, file));
  const typeRoots = [join(root, "node_modules/@types")];
  const program = ts.createProgram(paths, { ...compilerOptions, typeRoots });
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, " ");
    if (file === undefined) return text;
    const name = files.get(file.fileName.slice(directory.length + 1)) ?? file.fileName;
    const line = file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
    return `${name}: line ${line}: ${text}`;
  });
}

async function runAll(directory: string, modules: readonly string[]): Promise<Map<string, Run>> {
  const shares = Array.from({ length: processCount }, (_, share) =>
    modules.filter((_module, index) => index % processCount === share),
  );
  const all = await Promise.all(shares.map((share) => runShare(directory, share)));
  return new Map(all.flatMap((runs) => Object.entries(runs)));
}

/** Rejects if the process does not end by itself: then an example left something open. */
async function runShare(
  directory: string,
  modules: readonly string[],
): Promise<Record<string, Run>> {
  const output = await new Promise<string>((resolve, reject) => {
    execFile(
      process.execPath,
      ["driver.js", ...modules],
      {
        cwd: directory,
        env: { ...process.env, TMPDIR: join(directory, "tmp") },
        timeout: timeoutMs,
      },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${error.message}\n${stdout}\n${stderr}`, { cause: error }));
      },
    );
  });
  return JSON.parse(output) as Record<string, Run>;
}

function runFaults({ name, code }: Example, run: Run | undefined): string[] {
  if (run === undefined) return [`${name}: did not run`];
  if (run.error !== null) return [`${name}: throws ${run.error}`];
  const expected = expectedOutput(code);
  if (expected === undefined) return [`${name}: a console.log does not say what it prints`];
  const [said, printed] = [expected.join("\n"), run.lines.join("\n")];
  return said === printed ? [] : [`${name}: prints ${printed}; the example says ${said}`];
}
