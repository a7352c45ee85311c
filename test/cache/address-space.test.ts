// Where the process may not reserve the address space that WebAssembly memories take: opening says
// what to raise, at whichever of them it fails, and leaves a directory as it was.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openCache } from "../../dist/src/mod.js";

const entry = new URL("../../dist/src/mod.js", import.meta.url).href;

/** What `openCache` comes to in a process of so many GiB of address space. */
function openedWithin(gib: number, disk: object | undefined, ...flags: string[]): string {
  const options = JSON.stringify({ memory: "2mb", disk });
  const program = `import { openCache } from ${JSON.stringify(entry)};
    await openCache(${options}).then(
      async (cache) => { await cache.close(); process.stdout.write("opened"); },
      (error) => process.stdout.write(error.code + " " + error.message));`;
  const limit = `ulimit -v ${gib * 1024 * 1024}; exec "$0" "$@"`;
  const command = [process.execPath, ...flags, "--input-type=module", "-e", program];
  const { stdout } = spawnSync("bash", ["-c", limit, ...command], { encoding: "utf8" });
  return stdout;
}

const isLinux = process.platform === "linux" && process.arch === "x64";

test.runIf(isLinux)("in memory, the error says what to raise", () => {
  const told = openedWithin(8, undefined);
  expect(told).toMatch(/^ERR_RUNTIME .*address space.*ulimit -v.*--disable-wasm-trap-handler/);
  expect(openedWithin(14, undefined)).toBe("opened");
});

test.runIf(isLinux)("with the flag that it names, the address space follows the memory", () => {
  expect(openedWithin(8, undefined, "--disable-wasm-trap-handler")).toBe("opened");
});

// The hasher of the opener, the cache's memory, the hasher of the janitor: 10 GiB each.
test.runIf(isLinux).each([8, 16, 26])("a directory stays clean within %s GiB", async (gib) => {
  const path = mkdtempSync(join(tmpdir(), "undercroft-space-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  const disk = { path, capacity: "16mb" };
  const first = await openCache({ memory: "2mb", disk });
  first.set("a", "kept");
  await first.close();
  expect(openedWithin(gib, disk)).toMatch(/^ERR_RUNTIME .*address space/);
  const again = await openCache({ memory: "2mb", disk });
  expect(again.recovery?.kind).toBe("clean");
  expect(await again.get("a")).toBe("kept");
  await again.close();
});
