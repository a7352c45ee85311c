// Prints a suite's table and writes its file under bench/results/. The machine, the commit and the
// peers' versions are in the file, so that each figure can be traced. Called by main.ts.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";

import type { Row, Suite } from "./suite.js";

const peers = [
  "lru-cache",
  "keyv",
  "lmdb",
  "node-sqlite3-wasm",
  "sharedmap",
  "shared-memory-datastructures",
  "tinybench",
] as const;

/** Prints the rows under the suite's sentence. */
export function printTable(suite: Suite, rows: readonly Row[]): void {
  console.log(`\n${suite.name}: ${suite.about}\n`);
  const columns = Object.keys(rows[0] ?? {});
  const cells = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]?.length ?? 0)));
  for (const [index, line] of cells.entries()) {
    const aligned = line.map((text, i) => {
      const isNumber = typeof rows[0]?.[columns[i] ?? ""] === "number";
      return isNumber ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0);
    });
    console.log(aligned.join("  ").trimEnd());
    if (index === 0) console.log(widths.map((width) => "─".repeat(width)).join("  "));
  }
}

/** Writes the rows and where they come from to `<folder>/<suite>.json`; returns the path. */
export function writeResults(
  root: string,
  folder: string,
  suite: Suite,
  rows: readonly Row[],
): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${suite.name}.json`);
  const result = {
    suite: suite.name,
    about: suite.about,
    date: new Date().toISOString(),
    command: `npm run bench -- ${suite.name}`,
    commit: commitOf(root),
    node: process.version,
    machine: `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores, ${process.platform}`,
    versions:
      suite.versions?.() ?? Object.fromEntries(peers.map((name) => [name, versionOf(root, name)])),
    rows,
  };
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
  return path;
}

function cell(value: number | string | undefined): string {
  return typeof value === "number" ? value.toLocaleString("en-US") : (value ?? "");
}

function versionOf(root: string, name: string): string {
  const manifest = readFileSync(join(root, "node_modules", name, "package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

function commitOf(root: string): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: "pipe" }).trim();
    return (
      git("rev-parse", "HEAD") +
      (git("status", "--porcelain", "--untracked-files=no") === "" ? "" : ", changed")
    );
  } catch {
    return "not a git checkout";
  }
}
