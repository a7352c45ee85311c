// What the example caches: every package.json and .d.ts file under node_modules, and the loader
// that reads and parses one. Called by package-cache.ts and, in the second thread, by
// package-cache-thread.ts.

import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, relative } from "node:path";

/** A file of the example. Its path is its key in the cache. */
export interface PackageFile {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

/** What the loader makes of a package.json. */
export interface Manifest {
  readonly kind: "manifest";
  readonly size: number;
  readonly mtimeMs: number;
  readonly name: string;
  readonly version: string;
  readonly dependencyCount: number;
  readonly json: Record<string, unknown>;
}

/** What the loader makes of a .d.ts file. */
export interface Declarations {
  readonly kind: "declarations";
  readonly size: number;
  readonly mtimeMs: number;
  readonly lineCount: number;
  readonly exportedNames: string[];
  readonly imports: string[];
  readonly text: string | null; // null if it is longer than textLengthMax
}

export type Parsed = Manifest | Declarations;

const textLengthMax = 32 * 1024;

/** The files under `folder`, in a stable order; paths are relative to `root`. */
export async function findPackageFiles(root: string, folder: string): Promise<PackageFile[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .filter((entry) => entry.name === "package.json" || entry.name.endsWith(".d.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  return Promise.all(
    paths.map(async (path) => {
      const { size, mtimeMs } = await stat(path);
      return { path: relative(root, path), size, mtimeMs };
    }),
  );
}

/** Reads and parses one file: the work a hit saves. */
export async function loadPackageFile(root: string, file: PackageFile): Promise<Parsed> {
  const text = await readFile(join(root, file.path), "utf8");
  const { size, mtimeMs } = file;
  if (basename(file.path) === "package.json") return { size, mtimeMs, ...parseManifest(text) };
  return { size, mtimeMs, ...parseDeclarations(text) };
}

function parseManifest(text: string): Omit<Manifest, "size" | "mtimeMs"> {
  const json = JSON.parse(text) as Record<string, unknown>;
  return {
    kind: "manifest",
    name: stringOr(json["name"], "(unnamed)"),
    version: stringOr(json["version"], "(none)"),
    dependencyCount: Object.keys((json["dependencies"] ?? {}) as object).length,
    json,
  };
}

function parseDeclarations(text: string): Omit<Declarations, "size" | "mtimeMs"> {
  const kinds = "class|function|interface|type|const|let|enum|namespace";
  const exported = new RegExp(
    String.raw`^export\s+(?:declare\s+|abstract\s+|async\s+)*(?:${kinds})\s+([\w$]+)`,
    "gm",
  );
  const imported = /\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g;
  return {
    kind: "declarations",
    lineCount: text.split("\n").length,
    exportedNames: Array.from(text.matchAll(exported), (match) => match[1] ?? ""),
    imports: [...new Set(Array.from(text.matchAll(imported), (match) => match[1] ?? ""))],
    text: text.length <= textLengthMax ? text : null,
  };
}

function stringOr(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}
