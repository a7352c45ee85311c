// `npm run site`: builds the documentation in docs/site/dist from docs/, the README, the changelog
// and the declarations in dist/. Installs what it needs from docs/site/package-lock.json where that
// is not there yet. Fails on a dead link, on an asset of another host, on a page without a place in
// the sidebar, and on an exported name, method or option without a page.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));

/** npm leaves a copy of the lockfile where it has installed; one that differs is of another day. */
function install() {
  const versions = (file) =>
    Object.entries(JSON.parse(readFileSync(join(here, file), "utf8")).packages)
      .filter(([path, { optional }]) => path !== "" && optional !== true)
      .map(([path, { version }]) => `${path}@${version}`)
      .toSorted()
      .join();
  const installed = "node_modules/.package-lock.json";
  if (existsSync(join(here, installed)) && versions(installed) === versions("package-lock.json")) {
    return;
  }
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const args = ["ci", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  const shell = process.platform === "win32";
  const { status } = spawnSync(npm, args, { cwd: here, stdio: "inherit", shell });
  if (status !== 0) throw new Error("npm ci in docs/site failed");
}

function builtFiles(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    paths.map((path) => [
      relative(folder, path).split(sep).join("/"),
      /\.(?:html|css)$/.test(path) ? readFileSync(path, "utf8") : "",
    ]),
  );
}

async function main() {
  const started = performance.now();
  install();
  // What follows may be there only now.
  const { layOut, root } = await import("./pages.js");
  const { doors, writeReference } = await import("./reference.js");
  const { exportedNames, linkFaults, nameFaults } = await import("./check.js");
  const { build } = await import("vitepress");
  if (!doors.every(({ declarations }) => existsSync(declarations))) {
    throw new Error("dist/ is not built: use `npm run site`");
  }
  rmSync(join(here, "dist"), { recursive: true, force: true });
  layOut();
  await writeReference();
  await build(here);
  const files = builtFiles(join(here, "dist"));
  const declarations = doors.map((door) => door.declarations);
  const names = exportedNames(declarations, join(root, "node_modules/@types"));
  const faults = [...linkFaults(files, process.env.SITE_BASE), ...nameFaults(names, files)];
  if (faults.length > 0) throw new Error(faults.join("\n"));
  const pages = [...files.keys()].filter((file) => file.endsWith(".html")).length;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`docs/site/dist: ${pages} pages, ${names.length} names (${seconds} s)\n`);
}

await main();
