// What the tarball holds: what runs, its types, and nothing of the workshop.
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
const [tarball] = JSON.parse(packed) as [
  { readonly size: number; readonly files: readonly { readonly path: string }[] },
];
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

test("it holds nothing for nobody: no tests, docs pages, maps, or modules of the tests", () => {
  const { exports } = JSON.parse(read("package.json")) as { readonly exports: object };
  const entries = Array.from(
    JSON.stringify(exports).matchAll(/"\.\/dist\/src\/([^"]+)\/mod\.js"/g),
    ([, name]) => name,
  );
  const own = new RegExp(`^dist/src/(?:(?:${entries.join("|")})/)?mod\\.c?js$`);
  const dist = /^dist\/(?:src\/(?:shared|cli|pool)\/|types\/|workers\/\w+-worker\.js$)/;
  const others = /^(?:[A-Z]+(?:\.md)?|package\.json)$/;
  const isWanted = (file: string): boolean =>
    own.test(file) || dist.test(file) || others.test(file);
  expect(files.filter((file) => !isWanted(file))).toEqual([]);
});

test("it is under 400 KB", () => {
  expect(tarball.size).toBeLessThan(400_000);
});

test("its code has the names that a stack shows, lines, and no source map", () => {
  const code = files.filter((file) => file.endsWith(".js"));
  expect(code.filter((file) => read(file).includes("//# source"))).toEqual([]);
  const main = read("dist/src/shared/undercroft.js");
  expect(main).toMatch(/^var ValueCodec=class\{$/m);
  expect(main).toMatch(/^#encodeStructured\(/m);
  // But for imports, exports and texts a line is a statement.
  const statements = main.split("\n").filter((line) => !/^(?:import|export)\{|["`]/.test(line));
  expect(Math.max(...statements.map((line) => line.length))).toBeLessThan(2000);
});

test("its declarations say what users call, and nothing of the inside", () => {
  const all = files.filter((file) => file.endsWith(".d.ts")).map(read);
  expect(all.filter((text) => /^ +(?:protected|private) (?!constructor\(\);)/m.test(text))).toEqual(
    [],
  );
  const main = read("dist/types/shared/cache.d.ts");
  expect(main).toContain("private constructor();");
  expect(main).toContain("* Opens a cache.");
  expect(main).not.toMatch(/\b(?:ThreadCore|CacheParts|SpaceParts)\b/);
});

/** The files that are opened with one of the package's. */
function openedWith(file: string, opened = new Set<string>()): ReadonlySet<string> {
  if (opened.has(file)) return opened;
  opened.add(file);
  for (const [, specifier = ""] of read(file).matchAll(/^(?:im|ex)port\b.*"(\.[^"]+)";/gm)) {
    openedWith(join(dirname(file), specifier), opened);
  }
  return opened;
}

test("each import of the package opens a few files, and no worker opens the main one", () => {
  const { exports } = JSON.parse(read("package.json")) as {
    readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  };
  const shared = (name: string): string => `dist/src/shared/${name}.js`;
  const main = ["undercroft", "worker", "rolldown-runtime"].map(shared);
  expect([...openedWith("dist/src/mod.js")]).toEqual(["dist/src/mod.js", ...main]);
  for (const entry of Object.values(exports)) {
    if (typeof entry === "string") continue;
    const opened = openedWith(entry.default.replace("./", ""));
    expect([entry.default, opened.size <= 9]).toEqual([entry.default, true]);
  }
  for (const name of ["janitor", "store"]) {
    const opened = openedWith(`dist/workers/${name}-worker.js`);
    expect(opened.has(shared("worker"))).toBe(true);
    expect(opened.has(shared("undercroft"))).toBe(false);
    expect(opened.has(shared("source-threads"))).toBe(false);
  }
});

test("every import of its modules and declarations is in it", () => {
  const missing: string[] = [];
  for (const file of files.filter((each) => /\.(?:js|d\.ts|d\.cts)$/.test(each))) {
    for (const [, specifier = ""] of read(file).matchAll(/\bfrom ?"(\.[^"]+)"/g)) {
      const path = join(dirname(file), specifier);
      const wanted = file.endsWith("ts") ? path.replace(/\.js$/, ".d.ts") : path;
      if (!has.has(wanted)) missing.push(`${file} imports ${specifier}`);
    }
  }
  expect(missing).toEqual([]);
  expect(existsSync(join(root, "dist/src/mod.js"))).toBe(true);
});
