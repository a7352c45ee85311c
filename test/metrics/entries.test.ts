// What the modules of the entries load, before they are put into one file: users of the main entry
// do not pay for exporters, and no adapter needs the engine.
import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, test } from "vitest";

import { importsOf } from "../house/floors.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The built files that an entry loads, and the modules from elsewhere. */
function loadedBy(entry: string): { readonly files: Set<string>; readonly others: Set<string> } {
  const files = new Set([entry]);
  const others = new Set<string>();
  for (const file of files) {
    for (const { specifier } of importsOf(readFileSync(posix.join(root, file), "utf8"))) {
      const target = posix.join(posix.dirname(file), specifier);
      if (specifier.startsWith(".") && existsSync(posix.join(root, target))) files.add(target);
      else others.add(specifier);
    }
  }
  return { files, others };
}

const exporters = /^dist\/modules\/src\/(?:metrics|prometheus|opentelemetry)\//;

test("the main entry loads no exporter", () => {
  const { files } = loadedBy("dist/modules/src/mod.js");
  expect(files.size).toBeGreaterThan(100);
  expect([...files].filter((file) => exporters.test(file))).toEqual([]);
  expect(files).toContain("dist/modules/src/diagnostics/mod.js");
});

test.each(["prometheus", "opentelemetry"])("%s loads no client library and no engine", (entry) => {
  const { files, others } = loadedBy(`dist/modules/src/${entry}/mod.js`);
  expect([...files].filter((file) => exporters.test(file)).length).toBeGreaterThan(5);
  expect([...files].filter((file) => /\/(?:kernel|cache|fetch)\//.test(file))).toEqual([]);
  expect([...others].filter((name) => !name.startsWith("node:"))).toEqual([]);
});

test("the main entry and the command line load no tier over a database", () => {
  for (const entry of ["dist/modules/src/mod.js", "dist/modules/src/cli/main.js"]) {
    const { files } = loadedBy(entry);
    expect([...files].filter((file) => file.startsWith("dist/modules/src/sqlite/"))).toEqual([]);
  }
  expect(loadedBy("dist/modules/src/sqlite/mod.js").files).toContain(
    "dist/modules/src/sqlite/sqlite-tier.js",
  );
});

test("the tier over a database loads no engine and no package of a database", () => {
  const { files, others } = loadedBy("dist/modules/src/sqlite/mod.js");
  expect([...files].filter((file) => /\/(?:kernel|cache|fetch)\//.test(file))).toEqual([]);
  expect([...others].filter((name) => !name.startsWith("node:"))).toEqual([]);
});

test.each(["keyv", "unstorage", "bentocache"])(
  "only its own entry loads the adapter for %s",
  (host) => {
    const { files, others } = loadedBy(`dist/modules/src/${host}/mod.js`);
    expect(files).toContain(
      `dist/modules/src/${host}/${host}-${host === "keyv" ? "store" : "driver"}.js`,
    );
    expect([...files].filter((file) => /\/(?:kernel|cache|fetch)\//.test(file))).toEqual([]);
    expect([...others].filter((name) => !name.startsWith("node:"))).toEqual([]);
    for (const entry of ["dist/modules/src/mod.js", "dist/modules/src/cli/main.js"]) {
      const of = new RegExp(`^dist/modules/src/(?:adapters|${host})/`);
      expect([...loadedBy(entry).files].filter((file) => of.test(file))).toEqual([]);
    }
  },
);
test("no entry but their own loads an adapter, and an adapter loads no engine and no host", () => {
  const adapter = /^dist\/modules\/src\/(?:adapters|ai|langchain|undici)\//;
  for (const entry of ["dist/modules/src/mod.js", "dist/modules/src/cli/main.js"]) {
    expect([...loadedBy(entry).files].filter((file) => adapter.test(file))).toEqual([]);
  }
  for (const entry of ["ai", "langchain", "undici"]) {
    const { files, others } = loadedBy(`dist/modules/src/${entry}/mod.js`);
    expect([...files].filter((file) => adapter.test(file)).length).toBeGreaterThan(3);
    expect([...files].filter((file) => /\/(?:kernel|cache|fetch)\//.test(file))).toEqual([]);
    expect([...others].filter((name) => !name.startsWith("node:"))).toEqual([]);
  }
});
