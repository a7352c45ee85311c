// Builds the package with one mutant in it, in a temporary folder. Called by ../mutants.ts and a
// test.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import asc from "assemblyscript/asc";
import binaryen from "binaryen";
import ts from "typescript";

import type { Mutant } from "./mutant.js";
import { builtPackage } from "./rooms.js";

const root = fileURLToPath(new URL("../../../..", import.meta.url));

/** The file of a mutant with its change. Throws unless its text is there exactly once. */
export function mutate({ name, file, find, put }: Mutant): string {
  const source = readFileSync(join(root, file), "utf8");
  const times = source.split(find).length - 1;
  if (times !== 1)
    throw new Error(`the mutant ${name} has rotted: its text is in ${file} ${times} times`);
  return source.replace(find, () => put);
}

/** A copy of the built package with the mutant in it, as rooms.ts loads it; `remove` deletes it. */
export async function buildMutant(
  mutant: Mutant,
): Promise<{ readonly source: string; readonly remove: () => void }> {
  const text = mutate(mutant);
  const folder = mkdtempSync(join(tmpdir(), "undercroft-mutant-"));
  const source = join(folder, "dist");
  cpSync(builtPackage, source, { recursive: true });
  if (mutant.file.includes("/assembly/")) {
    const kernel = await compileKernel(folder, mutant.file, text);
    writeFileSync(join(source, "kernel/kernel.wasm"), kernel);
  } else {
    cpSync(join(builtPackage, "../../test/kernel/kernel.wasm"), join(source, "kernel/kernel.wasm"));
    const options = {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    };
    const { outputText } = ts.transpileModule(text, { compilerOptions: options });
    const output = mutant.file.replace(/^src\//, "").replace(/\.ts$/, ".js");
    writeFileSync(join(source, output), outputText);
  }
  return {
    source,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As build.mjs, without the fences, which have no effect on threads that take turns. */
async function compileKernel(folder: string, file: string, text: string): Promise<Uint8Array> {
  for (const part of ["src/kernel", "src/record", "src/stats"]) {
    mkdirSync(join(folder, part), { recursive: true });
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  writeFileSync(join(folder, file), text);
  let binary: Uint8Array | undefined;
  const { error } = await asc.main(
    [
      "src/kernel/assembly/mod.ts",
      "--config",
      "src/kernel/assembly/asconfig.json",
      "--baseDir",
      folder,
    ],
    {
      writeFile: (_name: string, bytes: Uint8Array | string) => {
        if (typeof bytes !== "string") binary ??= bytes;
      },
    },
  );
  if (error !== null) throw error;
  if (binary === undefined) throw new Error("the compiler wrote no kernel");
  return withoutFences(binary);
}

function withoutFences(kernel: Uint8Array): Uint8Array {
  const fenced = binaryen.readBinary(kernel);
  const text = fenced.emitText();
  fenced.dispose();
  const name = /\(import "env" "fence" \(func ([^\s)]+)/.exec(text)?.[1];
  if (name === undefined) throw new Error("the kernel imports no fence");
  const bare = binaryen.parseText(
    text.replaceAll(`(call ${name})`, "(nop)").replace(/ *\(import "env" "fence"[^\n]*\n/, ""),
  );
  bare.setFeatures(binaryen.Features.All);
  const bytes = bare.emitBinary();
  bare.dispose();
  return bytes;
}
