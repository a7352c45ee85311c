// Installs the packed package in an empty project, as a user does, and uses it there: the README's first example, a
// second thread, CommonJS, the command; each entry alone, without any package that it may be used with, by import, by
// require and by TypeScript, whose library declarations are checked too. Then publint and attw look at the tarball, in the
// versions of tools/package.json. Last, docs/package.md must say what was found; `npm run installed -- --write` writes it.
// Needs a build and a registry. Run by `npm run installed`; exits with 1 and says what failed.
import assert from "node:assert";
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { entries, importMs, installedBytes, typeFaults } from "./entries.js";
import { checkPage } from "./page.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "undercroft-installed-"));
process.once("exit", () => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }));
const project = join(scratch, "project");
mkdirSync(project);
const [npm, npx] = ["npm", "npx"].map((name) =>
  process.platform === "win32" ? `${name}.cmd` : name,
);

/** What a command prints; it must exit with 0. Its errors go to this process's. */
function output(command, args, cwd = project) {
  const stdio = ["ignore", "pipe", "inherit"];
  const shell = process.platform === "win32";
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio, timeout: 120_000, shell });
}

function write(file, text) {
  writeFileSync(join(project, file), text);
}

/** The first TypeScript of the README, as JavaScript that prints what it loaded. */
function example() {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const [, code] = /^```ts\n(.*?)^```$/ms.exec(readme) ?? [];
  assert(code?.includes("await cache.close();"), "the README has no example");
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
  const text = `${code}process.stdout.write(JSON.stringify(user));`;
  return ts.transpileModule(text, { compilerOptions }).outputText;
}

const started = performance.now();
const packing = ["pack", "--ignore-scripts", "--silent", "--pack-destination", scratch];
const tarball = join(scratch, output(npm, packing, root).trim());
write("package.json", '{ "name": "project", "private": true }');
output(npm, ["install", "--no-audit", "--no-fund", "--prefer-offline", "--silent", tarball]);

write("example.mjs", example());
assert.equal(output(process.execPath, ["example.mjs"]), '{"name":"Grace"}');

write(
  "threads.mjs",
  `import { isMainThread, Worker, workerData } from "node:worker_threads";
import { attachCache, openCache } from "undercroft";

if (isMainThread) {
  const cache = await openCache({ memory: "8mb", disk: { path: "./shared", capacity: "16mb" } });
  cache.set("number", 1);
  await cache.setAsync("large", "x".repeat(1_000_000));
  const worker = new Worker(new URL(import.meta.url), { workerData: cache.handle() });
  await new Promise((resolve, reject) => worker.once("error", reject).once("exit", resolve));
  process.stdout.write(String(cache.getSync("sum")));
  await cache.close();
} else {
  const cache = await attachCache(workerData);
  cache.set("sum", cache.getSync("number") + cache.getSync("large").length);
  await cache.close();
}
`,
);
assert.equal(output(process.execPath, ["threads.mjs"]), "1000001");

write(
  "common.cjs",
  `const { openCache } = require("undercroft");
const { SharedHashMap } = require("undercroft/shared-map");
openCache().then((cache) => cache.close()).then(() => process.stdout.write(SharedHashMap.name));
`,
);
assert.equal(output(process.execPath, ["common.cjs"]), "SharedHashMap");

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
assert.equal(output(npx, ["--no-install", "undercroft", "--version"]).trim(), manifest.version);

const names = entries(manifest);
write(
  "each.mjs",
  `import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
for (const name of ${JSON.stringify(names)}) {
  const [imported, required] = [await import(name), require(name)];
  for (const [key, value] of Object.entries(imported)) {
    if (required[key] !== value) throw new Error(\`\${name}: require gives another \${key}\`);
  }
}
`,
);
output(process.execPath, ["each.mjs"]);
assert.deepEqual(typeFaults(project, join(root, "node_modules/@types"), names), []);

// The tools in a folder of their own: the project stays as a user's is.
const tools = join(scratch, "tools");
cpSync(fileURLToPath(new URL("tools/", import.meta.url)), tools, { recursive: true });
output(npm, ["install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"], tools);
output(npx, ["--no-install", "publint", "run", "--strict", tarball], tools);
output(npx, ["--no-install", "attw", "--no-color", tarball], tools);

await checkPage(root, manifest, {
  packed: statSync(tarball).size,
  installed: installedBytes(join(project, "node_modules")),
  imports: names.map((name) => ({ name, ms: importMs(project, name) })),
});
const seconds = ((performance.now() - started) / 1000).toFixed(1);
process.stdout.write(`the package works where it is installed (${seconds} s)\n`);
