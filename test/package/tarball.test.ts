// What the tarball holds: what runs and what helps to read it, and nothing of the workshop.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

const packed = execFileSync("npm", ["pack", "--dry-run", "--ignore-scripts", "--json"], {
  cwd: root,
  encoding: "utf8",
});
const [tarball] = JSON.parse(packed) as [{ readonly files: readonly { readonly path: string }[] }];
const files = tarball.files.map(({ path }) => path);
const has = new Set(files);
const read = (file: string): string => readFileSync(join(root, file), "utf8");

test("it holds every entry, its types, the worker files and the command", () => {
  const manifest = JSON.parse(read("package.json")) as Record<string, unknown>;
  const paths = ["main", "types", "bin", "exports", "imports", "typesVersions"].flatMap((field) =>
    Array.from(
      JSON.stringify(manifest[field]).matchAll(/"\.\/(dist\/[^"]+)"/g),
      ([, path]) => path,
    ),
  );
  expect(paths.length).toBeGreaterThan(10);
  const names = [...paths, "dist/workers/janitor-worker.js", "dist/workers/store-worker.js"];
  expect(names.filter((path) => path === undefined || !has.has(path))).toEqual([]);
});

test("it holds no tests, benchmarks, examples or internals, and no source of its builds", () => {
  const docs = /^docs\/(?:guides\/)?[a-z-]+\.(?:md|json|yml)$/;
  const others = /^(?:dist\/(?:src|workers)\/|[A-Z]+(?:\.md)?$|package\.json$)/;
  expect(files.filter((file) => !docs.test(file) && !others.test(file))).toEqual([]);
  const workshop = /\.test\.|worker-program|workers\/(janitor|stores)\.|internals/;
  expect(files.filter((file) => workshop.test(file))).toEqual([]);
});

test("it names no source map, which would hold the sources once more", () => {
  const named = files.filter((file) => file.endsWith(".js") && read(file).includes("//# source"));
  expect(named).toEqual([]);
});

/** The files that are opened with one of the package's. */
function openedWith(file: string, opened = new Set<string>()): ReadonlySet<string> {
  if (opened.has(file)) return opened;
  opened.add(file);
  for (const [, specifier = ""] of read(file).matchAll(/^(?:im|ex)port\b.*"(\.[^"]+)";$/gm)) {
    openedWith(join(dirname(file), specifier), opened);
  }
  return opened;
}

test("each import of the package opens a few files, and the main one two", () => {
  const { exports } = JSON.parse(read("package.json")) as {
    readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  };
  const whole = "dist/src/shared/undercroft.js";
  expect([...openedWith("dist/src/mod.js")]).toEqual(["dist/src/mod.js", whole]);
  for (const entry of Object.values(exports)) {
    if (typeof entry === "string") continue;
    const opened = openedWith(entry.default.replace("./", ""));
    expect([entry.default, opened.size <= 12]).toEqual([entry.default, true]);
  }
});

test("every import of its modules and declarations is in it", () => {
  const missing: string[] = [];
  for (const file of files.filter((each) => /\.(?:js|d\.ts|d\.cts)$/.test(each))) {
    for (const [, specifier = ""] of read(file).matchAll(/\bfrom "(\.[^"]+)"/g)) {
      const path = join(dirname(file), specifier);
      const wanted = file.endsWith("ts") ? path.replace(/\.js$/, ".d.ts") : path;
      if (!has.has(wanted)) missing.push(`${file} imports ${specifier}`);
    }
  }
  expect(missing).toEqual([]);
  expect(existsSync(join(root, "dist/src/mod.js"))).toBe(true);
});
