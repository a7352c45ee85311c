// Bundles an app that uses the packed package, with each bundler (ways.js), takes every node_modules away and runs the
// bundle. `npm run bundlers -- WORD` tries the ways whose name contains the word. The bundlers are installed in a
// temporary folder from package.json; DEPS names a folder whose node_modules has them already. Exits with 1 if a bundle
// does not do what its way says, with 77 if the bundlers cannot be installed.
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ways } from "./ways.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "undercroft-bundlers-"));
process.once("exit", () => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }));
const say = (text) => process.stdout.write(`${text}\n`);

/** The folder whose node_modules has the bundlers. */
function bundlers() {
  if (process.env.DEPS !== undefined) return process.env.DEPS;
  const folder = join(scratch, "bundlers");
  mkdirSync(folder);
  cpSync(join(here, "package.json"), join(folder, "package.json"));
  const args = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
  const { status, stderr } = spawnSync("npm", args, { cwd: folder, encoding: "utf8" });
  if (status === 0) return folder;
  say(`cannot run here: the registry does not give the bundlers of package.json: ${stderr}`);
  process.exit(77);
}

/** The dependencies, and what msgpackr needs for its native part. */
function isNeeded(name) {
  return /^(?:piscina|@?msgpackr.*|xxhash-wasm|node-gyp-build-optional-packages|detect-libc)$/.test(
    name,
  );
}

/** Sources beside a node_modules that holds what the tarball holds, and what it depends on. */
function work() {
  const folder = join(scratch, "work");
  const modules = join(folder, "node_modules");
  mkdirSync(modules, { recursive: true });
  const packed = ["pack", "--ignore-scripts", "--json", "--pack-destination", scratch];
  const [{ filename }] = JSON.parse(execFileSync("npm", packed, { cwd: root, encoding: "utf8" }));
  execFileSync("tar", ["-xzf", join(scratch, filename), "-C", scratch]);
  renameSync(join(scratch, "package"), join(modules, "undercroft"));
  for (const name of readdirSync(join(root, "node_modules")).filter(isNeeded)) {
    symlinkSync(join(root, "node_modules", name), join(modules, name), "junction");
  }
  for (const name of ["app.js", "thread.js"]) cpSync(join(here, name), join(folder, name));
  cpSync(join(here, "package.json"), join(folder, "package.json"));
  return folder;
}

const deps = bundlers();
const require = createRequire(join(deps, "package.json"));
const load = async (name) => await import(pathToFileURL(require.resolve(name)).href);
const from = work();
const modules = join(from, "node_modules");
const hidden = join(scratch, "hidden");

async function runByNode(to, env, extension) {
  const child = spawnSync(process.execPath, [join(to, `app.${extension}`)], {
    encoding: "utf8",
    timeout: 60_000,
    cwd: scratch,
    env,
  });
  return `${child.stdout}${child.stderr}${child.status === 0 ? "" : ` (${child.status ?? child.signal})`}`;
}

async function fault([name, { build, run = runByNode, says = /^RIGHT$/m, beside = false }]) {
  const to = join(beside ? from : scratch, "out", name.replaceAll(/\W+/g, "-"));
  let extension;
  try {
    extension = await build(load, from, to, deps);
  } catch (error) {
    return `does not build: ${error.message.split("\n")[0]}`;
  }
  // What was bundled must not find its way back.
  if (!beside) renameSync(modules, hidden);
  const answer = await run(to, { ...process.env, TMPDIR: scratch }, extension);
  if (existsSync(hidden)) renameSync(hidden, modules);
  return says.test(answer) ? undefined : `fails: ${answer.slice(0, 1000)}`;
}

let faults = 0;
const word = process.argv[2] ?? "";
for (const way of Object.entries(ways).filter(([name]) => name.includes(word))) {
  const found = await fault(way);
  if (found !== undefined) faults += 1;
  say(`${way[0]}: ${found ?? (way[1].says === undefined ? "runs" : "says why not")}`);
}
process.exitCode = faults > 0 ? 1 : 0;
