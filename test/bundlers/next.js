// The way of Next: a route that opens a cache, built into standalone output, which is a server with what it needs of
// node_modules. The project is made beside the node_modules that has Next, since Next bundles nothing from outside of its
// root.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const route = `import assert from "node:assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCache } from "undercroft";
export const dynamic = "force-dynamic";
export async function GET() {
  try {
    const path = mkdtempSync(join(tmpdir(), "undercroft-app-"));
    const options = { memory: "8mb", disk: { path, capacity: "16mb" } };
    const large = "x".repeat(1_000_000);
    const cache = await openCache(options);
    assert.equal(cache.set("object", { x: 1 }), "stored");
    assert.equal(await cache.setAsync("large", large), "stored");
    await cache.close();
    const again = await openCache(options);
    assert.deepEqual(await again.get("object"), { x: 1 });
    assert.equal(await again.get("large"), large);
    await again.close();
    rmSync(path, { recursive: true });
    return new Response("RIGHT");
  } catch (error) {
    return new Response(error.code + ": " + error.message);
  }
}
`;

const projectName = "undercroft-next";

/** `more` is text of the configuration, `flags` are the build's. */
export function nextWay(more, flags) {
  return { build: (_load, from, to, deps) => build(from, to, deps, more, flags), run };
}

async function build(from, to, deps, more, flags) {
  const project = join(deps, projectName);
  const modules = { recursive: true, dereference: true };
  const links = { recursive: true, verbatimSymlinks: true };
  cpSync(join(from, "node_modules"), join(project, "node_modules"), modules);
  mkdirSync(join(project, "app/cache"), { recursive: true });
  writeFileSync(join(project, "package.json"), '{ "type": "module", "private": true }');
  writeFileSync(join(project, "app/cache/route.js"), route);
  writeFileSync(
    join(project, "app/layout.js"),
    "export default ({ children }) => <html><body>{children}</body></html>;",
  );
  const root = JSON.stringify(deps);
  writeFileSync(
    join(project, "next.config.mjs"),
    `export default { ${more} output: "standalone", outputFileTracingRoot: ${root}, turbopack: { root: ${root} } };`,
  );
  const command = join(deps, "node_modules/next/dist/bin/next");
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, "build", ...flags], {
    cwd: project,
    encoding: "utf8",
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" },
  });
  if (status === 0) cpSync(join(project, ".next/standalone"), to, links);
  rmSync(project, { recursive: true });
  if (status !== 0) throw new Error(`${stdout}${stderr}`.replaceAll("\n", " "));
}

async function run(to, env) {
  const server = spawn(process.execPath, ["server.js"], {
    cwd: join(to, projectName),
    env: { ...env, HOSTNAME: "127.0.0.1", PORT: "0" },
  });
  let said = "";
  try {
    const address = await new Promise((resolve, reject) => {
      const read = (text) => {
        said += text;
        const [found] = /http:\/\/[\d.]+:\d+/.exec(said) ?? [];
        if (found !== undefined) resolve(found);
      };
      server.stdout.setEncoding("utf8").on("data", read);
      server.stderr.setEncoding("utf8").on("data", read);
      server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    });
    const response = await fetch(`${address}/cache`);
    const text = await response.text();
    return text === "RIGHT" ? text : `${response.status} ${text} ${said}`;
  } catch (error) {
    return `${error.stack} ${said}`;
  } finally {
    server.kill();
  }
}
