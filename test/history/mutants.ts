// Caches with one fault each, on purpose: a checker that has never been red proves nothing. Called
// by the test, which wants each of them found. A change is made to a copy of the sources and must
// apply exactly once.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import ts from "typescript";

import * as at from "../../dist/src/kernel/layout.js";
import { brokenCopy } from "../crash/program.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** One change to a source file. */
export interface SourcePatch {
  /** Under src/. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly name: string;
  readonly patches: readonly SourcePatch[];
  /** The cell of the history proof that finds it. */
  readonly cell: string;
  /** What the faults told must say. */
  readonly says: RegExp;
}

const writer = "memory/memory-writer.ts";

/** A fill that renews a value brings an older one back, so it may be told as a read of that. */
const fillsSay = /a fill that (was|a removal had) superseded|read after it was overwritten/;

export const mutants: readonly Mutant[] = [
  {
    name: "a reader that does not look at the slot again",
    patches: [
      {
        file: "memory/memory-reader.ts",
        from: "if (!this.isCurrent(this.found)) return false;",
        to: "",
      },
    ],
    cell: "large values",
    // A torn record may tell the decoder of millions of items.
    says: /torn|words and|read after|gave a value|is of|is the string|Assert|of range|took over/,
  },
  {
    name: "a near cache that ignores the slot's word",
    patches: [
      {
        file: "near/near-cache.ts",
        from: "    if (!isThere) return undefined;\n",
        to: "    if (!isThere) this.#keys.takeAnswer();\n",
      },
    ],
    cell: "memory, near",
    says: /read after it was overwritten/,
  },
  {
    name: "a delete that leaves the slot as it was",
    patches: [
      {
        file: writer,
        from: "const answer = this.kernel.verbs.remove(at, extent, low, high, kind, wanted);",
        to: "const answer: number = codes.answerDone;",
      },
    ],
    cell: "memory, near",
    says: /read after it was overwritten/,
  },
  {
    name: "a renewed value that loses its tags",
    patches: [
      {
        file: "fetch/lead.ts",
        from: "tags: tags ?? stale.tags,",
        to: "tags: tags ?? options.tags,",
      },
    ],
    cell: "memory, near",
    says: /read after it was removed/,
  },
  {
    name: "a clear that near caches do not hear of",
    patches: [
      {
        file: "entries/writing/entry-invalidator.ts",
        from: "const epoch = kernel.verbs.clear();",
        to: `const epoch = kernel.verbs.clear();\n    kernel.views.i32[${at.controlNearEpoch / 4}]--;`,
      },
    ],
    cell: "memory, near",
    says: /before the last clear|read after it was removed/,
  },
  {
    name: "a near cache that does not ask whether a tag was invalidated",
    patches: [
      {
        file: "near/near-cache.ts",
        from: "if (tagEpoch !== null && tagEpoch !== control.tagEpoch()) return undefined;",
        to: "",
      },
    ],
    cell: "memory, near",
    says: /read after it was removed/,
  },
  {
    name: "a thread whose identity index keeps values although their keys are written",
    patches: [
      {
        file: "near/near-cache.ts",
        from: "return this.#store.root.#identity.values.delete(table.textOf(number));",
        to: "return true;",
      },
    ],
    cell: "interned keys",
    says: /read after it was overwritten/,
  },
  {
    name: "a thread whose trusted near values stay so when their keys are written",
    patches: [
      {
        file: "near/invalidation-reader.ts",
        from: "this.#listener.invalidate(this.#hashes[index] as number);",
        to: "",
      },
    ],
    cell: "memory, near",
    says: /read after it was overwritten/,
  },
  {
    name: "an expired value that is served",
    patches: [
      {
        file: "entries/entry-reader.ts",
        from: "record.expiresMs <= clock.now()) {\n      this.#core.count(counter.counterExpiredHits, 1);\n      this.#miss",
        to: "record.expiresMs <= 0 * clock.now()) {\n      this.#core.count(counter.counterExpiredHits, 1);\n      this.#miss",
      },
    ],
    cell: "memory, near",
    says: /read an expired value/,
  },
  {
    name: "a fill that is published though it was superseded",
    patches: [{ file: writer, from: "fields.flight + 1,", to: "0," }],
    cell: "few keys",
    says: fillsSay,
  },
  {
    name: "a write that supersedes no fill",
    patches: [
      {
        file: "kernel/assembly/flights.ts",
        from: "if (atomic.load<u64>(at.controlFlightThreads) == 0) return;",
        to: "return;",
      },
    ],
    cell: "few keys",
    says: fillsSay,
  },
  {
    name: "a delete that finds nothing on disk",
    patches: [
      {
        file: "kernel/assembly/index/entries.ts",
        from: "let answer = at.answerAbsent;\n  if (located != 0) {",
        to: "let answer = at.answerAbsent;\n  if (located != 0 && !isDisk(locatedWord)) {",
      },
    ],
    cell: "disk, no near",
    says: /read after it was overwritten/,
  },
];

/** Builds the package with a mutant's changes in a folder of its own; answers the address of its
 *  door. */
export function buildMutant(scratch: string, { name, patches }: Mutant): string {
  const folder = join(scratch, name.replaceAll(" ", "-"));
  mkdirSync(folder);
  const door = brokenCopy(folder, []);
  const copy = fileURLToPath(new URL("../..", new URL(".", door)));
  const texts = new Map<string, string>();
  for (const patch of patches) {
    const { file } = patch;
    const text = texts.get(file) ?? readFileSync(join(root, "src", file), "utf8");
    texts.set(file, patched(text, patch));
  }
  const kernelTexts = [...texts].filter(([file]) => file.startsWith("kernel/assembly/"));
  for (const [file, text] of texts) {
    if (file.startsWith("kernel/assembly/")) continue;
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
    const output = join(copy, "dist/src", file.replace(/\.ts$/, ".js"));
    writeFileSync(output, ts.transpileModule(text, { compilerOptions }).outputText);
  }
  if (kernelTexts.length > 0) buildKernel(join(copy, "sources"), kernelTexts, copy);
  return door;
}

function patched(text: string, { file, from, to }: SourcePatch): string {
  if (text.split(from).length !== 2) throw new Error(`${file} has not exactly one ${from}`);
  return text.replace(from, () => to);
}

/** The build of the kernel writes beside the sources that it is run from. */
function buildKernel(
  sources: string,
  texts: readonly (readonly [string, string])[],
  copy: string,
): void {
  cpSync(join(root, "src"), join(sources, "src"), { recursive: true });
  cpSync(join(root, "package.json"), join(sources, "package.json"));
  symlinkSync(join(root, "node_modules"), join(sources, "node_modules"));
  mkdirSync(join(sources, "dist"));
  for (const [file, text] of texts) writeFileSync(join(sources, "src", file), text);
  // Not optimized, which takes most of the time.
  const configuration = join(sources, "src/kernel/assembly/asconfig.json");
  const options = readFileSync(configuration, "utf8")
    .replace('"optimizeLevel": 3', '"optimizeLevel": 0')
    .replace('"converge": true', '"converge": false');
  writeFileSync(configuration, options);
  execFileSync(process.execPath, [join(sources, "src/kernel/assembly/build.mjs")]);
  cpSync(join(sources, "dist/modules/src/kernel"), join(copy, "dist/src/kernel"), {
    recursive: true,
  });
}
