// The reference pages, held to the types that the package exports: docs/configuration.md has every
// option and no other, docs/api.md every name and method, guides/troubleshooting.md every code.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import ts from "typescript";
import { describe, expect, test } from "vitest";

import { type Row, rowsOf } from "./pages.js";
import { PublicTypes } from "./public-types.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), "utf8");

const { exports } = JSON.parse(read("package.json")) as {
  exports: Record<string, string | { readonly default: string }>;
};
/** Subpath as users import it, and its declarations. */
const doors = Object.entries(exports).flatMap(([path, target]) =>
  typeof target === "string"
    ? []
    : [[`undercroft${path.slice(1)}`, join(root, target.default.replace(/\.js$/, ".d.ts"))]],
) as [subpath: string, door: string][];
const types = new PublicTypes(
  doors.map(([, door]) => door),
  join(root, "node_modules/@types"),
);

const configuration = rowsOf(read("docs/configuration.md"));
const api = rowsOf(read("docs/api.md"));

/** The words in code in a text. */
const codes = (text: string): string[] =>
  Array.from(text.matchAll(/`([^`]+)`/g), (match) => match[1] ?? "");

/** The name at the begin of a row: "`get(key)`" is "get". */
function nameOf({ cells }: Row): string {
  return /^`(\[Symbol\.\w+\]|[\w.-]+)/.exec(cells[0] ?? "")?.[1] ?? "";
}

/** Every type of options, by the door that exports it first. */
const optionTypes = new Map<string, string>();
for (const [, door] of doors) {
  for (const name of types.names(door)) {
    if (name.endsWith("Options") && !optionTypes.has(name)) optionTypes.set(name, door);
  }
}
/** Types whose options stand as parts of others: `disk.path` is of DiskOptions. */
const parts = new Map([
  ["DiskOptions", "CacheOptions"],
  ["AdmissionOptions", "CacheOptions"],
  ["EvictionOptions", "CacheOptions"],
  ["EncryptionOptions", "CacheOptions"],
  ["NearOptions", "CacheOptions"],
]);

/** What is wrong with the table of an options type. */
function optionFaults(type: string, options: readonly string[], rows: readonly Row[]): string[] {
  const own = rows.filter(({ section }) => codes(section).includes(type));
  const named = own.map(nameOf);
  const where = `docs/configuration.md, the table under the heading that names \`${type}\``;
  const missing = options
    .filter((option) => !named.includes(option))
    .map(
      (option) => `${where}: add a row for \`${option}\` (type and unit, default, effect, when)`,
    );
  // A row may sum up options that have rows of their own: `disk`.
  const isKnown = (name: string): boolean =>
    options.includes(name) || options.some((option) => option.startsWith(`${name}.`));
  const wrong = named
    .filter((name) => !isKnown(name))
    .map((name) => `${where}: \`${name}\` is no option; remove its row`);
  const empty = own
    .filter(({ cells }) => cells.length < 4 || cells.slice(0, 4).includes(""))
    .map((row) => `${where}: the row of \`${nameOf(row)}\` has an empty cell`);
  return [...missing, ...wrong, ...empty];
}

describe("docs/configuration.md", () => {
  test("a missing, a wrong and an empty row are found", () => {
    const page = "## `AOptions`\n\n| option | a | b | c |\n| - | - | - | - |\n";
    const rows = rowsOf(
      `${page}| \`a.b\` | 1 | 2 | 3 |\n| \`a\` | 1 | 2 | |\n| \`z\` | 1 | 2 | 3 |`,
    );
    expect(optionFaults("AOptions", ["a.b", "c"], rows)).toEqual([
      expect.stringContaining("add a row for `c`"),
      expect.stringContaining("`z` is no option"),
      expect.stringContaining("the row of `a` has an empty cell"),
    ]);
  });

  test.each(Array.from(optionTypes).filter(([type]) => !parts.has(type)))(
    "has every option of %s and no other",
    (type, door) => {
      const options = types.options(door, type);
      expect(options.length).toBeGreaterThan(0);
      expect(optionFaults(type, options, configuration)).toEqual([]);
    },
  );

  test("says which options a type has from another", () => {
    const page = read("docs/configuration.md");
    for (const [type, door] of optionTypes) {
      for (const base of types.basesOf(door, type)) {
        const heading = new RegExp(`^## .*\`${type}\`.*\\n\\n.*\`${base}\``, "m");
        expect(page, `${type}: begin its section with "those of \`${base}\`"`).toMatch(heading);
      }
    }
  });

  test("the parts are parts", () => {
    const whole = types.options(optionTypes.get("CacheOptions") ?? "", "CacheOptions");
    for (const type of parts.keys()) {
      for (const option of types.options(optionTypes.get(type) ?? "", type)) {
        expect(whole.some((path) => path.endsWith(`.${option}`))).toBe(true);
      }
    }
  });
});

/** What is wrong with the rows of a subpath of docs/api.md. Events have a test of their own. */
function apiFaults(subpath: string, names: readonly string[], rows: readonly Row[]): string[] {
  const named = rows
    .filter(({ subsection }) => subsection !== "Events")
    .map((row) => {
      const owner = codes(row.subsection)[0];
      return owner === undefined ? nameOf(row) : `${owner}.${nameOf(row)}`;
    });
  const where = `docs/api.md, section \`${subpath}\``;
  return [
    ...names
      .filter((name) => !named.includes(name))
      .map((name) => `${where}: add a row for \`${name}\` (a method under its class's heading)`),
    ...named
      .filter((name) => !names.includes(name))
      .map((name) => `${where}: \`${name}\` is not exported; remove its row`),
  ];
}

describe("docs/api.md", () => {
  const rowsOfDoor = (subpath: string): Row[] =>
    api.filter(({ section }) => codes(section)[0] === subpath);

  test("a missing and a wrong row are found", () => {
    const page = "## `u`\n\n### `A`\n\n| x |\n| - |\n| `b(c)` |\n| `d` |\n\n### Functions\n\n";
    const rows = rowsOf(`${page}| x |\n| - |\n| \`f(x)\` |`);
    expect(apiFaults("u", ["A.b", "f", "g"], rows)).toEqual([
      expect.stringContaining("add a row for `g`"),
      expect.stringContaining("`A.d` is not exported"),
    ]);
  });

  test.each(doors)("%s: every name and every method has a row, and no other", (subpath, door) => {
    const earlier = doors.slice(
      0,
      doors.findIndex(([path]) => path === subpath),
    );
    const isTold = (name: string): boolean =>
      earlier.some(([, other]) => types.names(other).includes(name));
    const own = types.names(door).filter((name) => !isTold(name));
    const told = new Set<string>();
    const names = own.flatMap((name) => {
      if (!types.isClass(door, name) || name === "UndercroftError") return [name];
      // What two classes have from a third is told once, under the first of them.
      const members = types.members(door, name).filter((member) => {
        const declared = `${member.declaredIn}.${member.name}`;
        return !told.has(declared) && told.add(declared);
      });
      return [name, ...members.map((member) => `${name}.${member.name}`)];
    });
    expect(apiFaults(subpath, names, rowsOfDoor(subpath))).toEqual([]);
  });

  test("options that a method declares itself are in its row", () => {
    const [subpath, door] = doors[0] ?? ["", ""];
    for (const { name, inlineOptions } of types.members(door, "Cache")) {
      const row = rowsOfDoor(subpath).find((each) => nameOf(each) === name);
      for (const option of inlineOptions) {
        expect(row?.cells.join(), `Cache.${name}: say what \`${option}\` does`).toContain(option);
      }
    }
  });

  test("every event has a row", () => {
    const events = types.members(doors[0]?.[1] ?? "", "CacheEventMap").map(({ name }) => name);
    const rows = api.filter(({ subsection }) => subsection === "Events");
    expect(events.length).toBeGreaterThan(3);
    expect(rows.map(nameOf).toSorted()).toEqual(events.toSorted());
  });
});

/** The codes in the declaration of ErrorCode. */
function errorCodes(): string[] {
  const file = "src/base/errors.ts";
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.ES2023, true);
  const declared = source.statements.filter(ts.isTypeAliasDeclaration);
  const type = declared.find(({ name }) => name.text === "ErrorCode")?.type;
  const members = type !== undefined && ts.isUnionTypeNode(type) ? [...type.types] : [];
  return members.map((member) => member.getText(source).replaceAll('"', ""));
}

test("docs/guides/troubleshooting.md has a section for every code, and no other", () => {
  const page = read("docs/guides/troubleshooting.md");
  const sections = Array.from(page.matchAll(/^### `(ERR_\w+)`$/gm), (match) => match[1] ?? "");
  expect(errorCodes().length).toBeGreaterThan(10);
  const missing = errorCodes().filter((code) => !sections.includes(code));
  expect(missing, "add a heading ### `CODE` with its cause and remedy").toEqual([]);
  expect(sections.filter((code) => !errorCodes().includes(code))).toEqual([]);
  expect(new Set(sections).size).toBe(sections.length);
});
