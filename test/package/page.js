// docs/package.md: what the package weighs and needs, as install.js found it. Called by install.js.
import assert from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";

/** How much a size may differ from what the page says. */
const tolerance = 0.05;

/** The most that the package may weigh, and the most that an import in a thread may take. */
const packedMax = 400_000;
const importMsMax = 40;

const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

const kilobytes = (bytes) => Math.round(bytes / 1000);

/** The version that the tests run with; of some packages these have only stand-ins. */
function triedVersion(packages, name) {
  return packages[`node_modules/${name}`]?.version ?? "not here";
}

async function pageOf(root, manifest, { packed, installed, imports }) {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const { dependencies, peerDependencies } = manifest;
  const text = `# The package

Written by \`npm run installed -- --write\`, which installs the packed package in an empty project;
\`npm run installed\` fails if this page does not say what it finds.

${table(
  ["what", "KB"],
  [
    ["packed", kilobytes(packed)],
    ["installed, with what it depends on", kilobytes(installed)],
  ],
)}

CPU time of an import in a worker thread, the least of 15:

${table(
  ["import", "ms"],
  imports.map(({ name, ms }) => [`\`${name}\``, Math.round(ms)]),
)}

What it depends on:

${table(
  ["package", "range", "tried"],
  Object.entries(dependencies).map(([name, range]) => [
    `\`${name}\``,
    `\`${range}\``,
    triedVersion(packages, name),
  ]),
)}

What it may be used with, all optional; no entry imports one of them:

${table(
  ["package", "range", "tried"],
  Object.entries(peerDependencies).map(([name, range]) => [
    `\`${name}\``,
    `\`${range}\``,
    triedVersion(packages, name),
  ]),
)}
`;
  return await format(text, { parser: "markdown", printWidth: 100 });
}

/** The numbers that may differ a little, and the text without these. */
function parts(page) {
  const sizes = Array.from(page.matchAll(/\| (\d+) +\|$/gm), ([, number]) => Number(number));
  return { sizes: sizes.slice(0, 2), text: page.replaceAll(/\| +\d+ +\|$/gm, "| n |") };
}

/** Throws if the page does not say what was found, or what was found is too much; writes it if the command says so. */
export async function checkPage(root, manifest, found) {
  const slow = found.imports.filter(({ ms }) => ms > importMsMax);
  assert(found.packed < packedMax, `${found.packed} bytes packed: at most ${packedMax}`);
  const path = join(root, "docs/package.md");
  const page = await pageOf(root, manifest, found);
  if (process.argv.includes("--write")) writeFileSync(path, page);
  const said = parts(readFileSync(path, "utf8"));
  const is = parts(page);
  const remedy = "run npm run installed -- --write";
  assert.equal(said.text, is.text, `docs/package.md is of another package: ${remedy}`);
  for (const [index, size] of is.sizes.entries()) {
    const differs = Math.abs(size / said.sizes[index] - 1);
    assert(
      differs <= tolerance,
      `docs/package.md says ${said.sizes[index]} KB of ${size}: ${remedy}`,
    );
  }
  for (const { name, ms } of slow) {
    process.stdout.write(`note: import of ${name} took ${Math.round(ms)} ms of CPU\n`);
  }
}
