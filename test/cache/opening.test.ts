import fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { spawn } from "node:child_process";
import { describe, expect, test } from "vitest";
import { createHasher } from "../../dist/src/hash/mod.js";
import { type CacheOptions, openCache } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, held, memory, open, setUpCaches, until } from "./opened.js";

setUpCaches();

const codec = { name: "c", encode: () => new Uint8Array(1), decode: () => 1 };

describe("a wrong option", () => {
  test.each<[unknown, string, RegExp]>([
    [null, "TypeError", /option options: .* null; it must be an object of options \{ name/],
    [
      "./cache",
      "TypeError",
      /option options: .* "\.\/cache"; it must be an object of options \{ name/,
    ],
    [[], "TypeError", /option options: .* an array of 0; /],
    [{ max: 5 }, "RangeError", /option max: there is no such option; allowed are name, memory, /],
    [{ TTL: 5 }, "RangeError", /option TTL: there is no such option; allowed are .*ttl/],
    [{ name: 5 }, "TypeError", /option name: .* 5; it must be a string of 1 to 64 characters$/],
    [{ name: "" }, "RangeError", /option name: .* ""; it must be a string of 1 to 64/],
    [{ memory: "256 megs" }, "RangeError", /option memory: .* "256 megs"; it must be a whole num/],
    [{ memory: true }, "TypeError", /option memory: .* true; it must be a whole number of bytes/],
    [{ memory: 1.5 }, "RangeError", /option memory: .* 1\.5; /],
    [{ memory: -1 }, "RangeError", /option memory: .* -1; /],
    [{ memory: 1000 }, "RangeError", /option memory: .* 1000; it must be at least 1 MiB/],
    [{ memory: "4gb" }, "RangeError", /option memory: .* "4gb"; it must be at most 4294901760/],
    [{ disk: "./cache" }, "TypeError", /option disk: .* "\.\/cache"; it must be an object/],
    [{ disk: {} }, "TypeError", /option disk\.path: .* undefined; it must be the path of a dir/],
    [{ disk: { path: "" } }, "RangeError", /option disk\.path: .* ""; /],
    [{ disk: { path: "a\0b" } }, "RangeError", /option disk\.path: /],
    [
      { disk: { path: "a", size: 1 } },
      "RangeError",
      /disk\.size: .* capacity, admission, preload, .* share, openFiles, encryption$/,
    ],
    [{ disk: { path: "a", capacity: 5 } }, "RangeError", /disk\.capacity: .* 5; .* at least 1 MiB/],
    [{ staleFor: -1 }, "RangeError", /option staleFor: .* -1; it must be a number of milliseconds/],
    [
      { eviction: "none" },
      "RangeError",
      /option eviction: .* "none"; it must be "auto" or "s3-fifo" or/,
    ],
    [{ eviction: 1 }, "TypeError", /option eviction: .* 1; it must be "auto" or "s3-fifo" or/],
    [
      { near: true },
      "TypeError",
      /option near: .* true; it must be false or an object of options \{ mode/,
    ],
    [{ near: { mode: "clone" } }, "RangeError", /near\.mode: .* "clone"; it must be "shared" or/],
    [{ near: { maxEntries: 0 } }, "RangeError", /near\.maxEntries: .* 0; it must be a whole/],
    [{ near: { maxBytes: 0 } }, "RangeError", /near\.maxBytes: .* 0; it must be at least 1 byte/],
    [{ near: { max: 0 } }, "RangeError", /near\.max: .* allowed are mode, maxEntries, maxBytes$/],
    [{ classInstances: "keep" }, "RangeError", /classInstances: .* "throw" or "plain"/],
    [{ codec: "cbor" }, "RangeError", /option codec: .* "cbor"; it must be "msgpack" or "json"/],
    [{ codec: { ...codec, name: "" } }, "RangeError", /option codec\.name: /],
    [{ codec: { ...codec, decode: 1 } }, "TypeError", /option codec\.decode: .* a function from/],
    [{ clock: Date }, "TypeError", /option clock: .* an object with now\(\)/],
  ])("%o rejects with a %s that says what is allowed", async (options, name, words) => {
    const before = held();
    const error = await errorOf(() => openCache(options as CacheOptions));
    expect(error.name).toBe(name);
    expect(error.message).toMatch(/^Cannot use option /);
    expect(error.message).toMatch(words);
    expect(held()).toEqual(before);
  });

  test("of a call is refused with its name", async () => {
    const cache = await open();
    const none = "there is no such option";
    const calls: [() => unknown, string][] = [
      [
        () => cache.set("k", 1, { tll: 5 } as never),
        `tll: ${none}; allowed are ttl, staleFor, tags`,
      ],
      [() => cache.setMany([["k", 1]], { tll: 5 } as never), `tll: ${none}`],
      [() => cache.setAsync("k", 1, { tll: 5 } as never), `tll: ${none}`],
      [() => cache.set("k", 1, "5m" as never), 'options: current value is "5m"'],
      [() => cache.set("k", 1, { tags: "a" as never }), "tags: current value is"],
      [() => cache.set("k", 1, { tags: [""] }), 'tags[0]: current value is ""'],
      [() => cache.set("k", 1, { staleFor: NaN }), "staleFor: current value is NaN"],
      [() => cache.fetch("k", () => 1, { grace: 5 } as never), `grace: ${none}`],
      [() => cache.fetch("k", () => 1, { timeout: 0 }), "timeout: current value is 0"],
      [() => cache.fetch("k", () => 1, { timeout: { hrd: 1 } as never }), `timeout.hrd: ${none}`],
      [() => cache.fetch("k", () => 1, { forceRefresh: 1 as never }), "forceRefresh: current"],
      [() => cache.fetch("k", () => 1, { signal: {} as never }), "signal: current value is"],
      [() => cache.wrap(() => 1, { key: () => "k", grace: 5 } as never), `grace: ${none}`],
      [() => cache.get("k", { ttl: 5 } as never), `ttl: ${none}; allowed is signal`],
      [() => cache.get("k", "5m" as never), 'options: current value is "5m"'],
      [() => cache.get("k", null as never), "options: current value is null"],
      [
        () => cache.get("k", { signal: {} as never }),
        "signal: current value is an object; it must",
      ],
      [() => cache.flush({ sync: true } as never), `sync: ${none}; allowed is fsync`],
      [() => cache.flush({ fsync: "yes" as never }), 'fsync: current value is "yes"'],
      [() => cache.flush([] as never), "options: current value is an array of 0"],
    ];
    for (const [call, words] of calls) {
      const error = await errorOf(call);
      expect(["TypeError", "RangeError"]).toContain(error.name);
      expect(error.message).toContain(`Cannot use option ${words}`);
    }
    expect(cache.has("k")).toBe(false);
  });
});

describe("a directory that cannot be used", () => {
  /**
   * A path of each kind, made for the test; the error of opening it; and whether it opens once it
   * is repaired.
   */
  const cases: [string, string, (path: string) => Promise<(() => void) | undefined>][] = [
    [
      "locked by another cache",
      "ERR_DIRECTORY_LOCKED",
      async (path) => {
        const other = await open(diskAt(path));
        return () => void other.close();
      },
    ],
    [
      "a file",
      "ERR_NOT_A_DIRECTORY",
      (path) => {
        fs.writeFileSync(path, "text");
        return Promise.resolve(() => fs.rmSync(path));
      },
    ],
    [
      "below a file",
      "ERR_NOT_A_DIRECTORY",
      (path) => {
        fs.writeFileSync(join(path, "..", "file"), "text");
        return Promise.resolve(undefined);
      },
    ],
    [
      "somebody else's",
      "ERR_DIRECTORY_NOT_OURS",
      (path) => {
        fs.mkdirSync(path);
        fs.writeFileSync(join(path, "thesis.tex"), "years of work");
        return Promise.resolve(() => {
          expect(fs.readFileSync(join(path, "thesis.tex"), "utf8")).toBe("years of work");
          expect(fs.readdirSync(path)).toEqual(["thesis.tex"]);
          fs.rmSync(join(path, "thesis.tex"));
        });
      },
    ],
    [
      "of another version",
      "ERR_FORMAT_VERSION",
      async (path) => {
        await (await open(diskAt(path))).close();
        const file = join(path, "undercroft.manifest");
        const bytes = fs.readFileSync(file);
        const changed = Buffer.from(bytes);
        for (const copy of [0, 4096]) changed.writeUInt32LE(99, copy + 8);
        await resealManifest(changed);
        fs.writeFileSync(file, changed);
        return () => fs.writeFileSync(file, bytes);
      },
    ],
  ];

  test.each(cases)("%s: %s, and nothing stays half open", async (name, code, prepare) => {
    const root = freshPath();
    const mend = await prepare(root);
    const path = name === "below a file" ? join(root, "..", "file", "cache") : root;
    const before = held();
    for (let round = 0; round < 3; round++) {
      const error = await errorOf(() => openCache({ memory, ...diskAt(path) }));
      expect([error.name, error.code]).toEqual(["UndercroftError", code]);
      expect(error.message).toContain(path);
    }
    // Of a connection to the owner's claim the owner's end closes a little later.
    await expect.poll(held).toEqual(before);
    if (mend === undefined) return;
    mend();
    await expect
      .poll(async () => {
        try {
          const cache = await open(diskAt(path));
          return cache.set("k", 1);
        } catch (error) {
          return (error as Error).message;
        }
      })
      .toBe("stored");
  });

  test.each([["/proc/undercroft/cache"], ["/proc/1/cache"]])(
    "not writable (%s): a coded error, and nothing stays half open",
    async (path) => {
      if (process.platform !== "linux") return;
      const before = held();
      const error = await errorOf(() => openCache({ memory, ...diskAt(path) }));
      expect(error.code).toBe("ERR_DIRECTORY_NOT_WRITABLE");
      expect(held()).toEqual(before);
    },
  );

  test("a capacity too small for the segments is refused by name and makes nothing", async () => {
    const path = freshPath();
    const before = held();
    const error = await errorOf(() => openCache({ memory: "256mb", ...diskAt(path, "1mb") }));
    expect(error).toBeInstanceOf(RangeError);
    expect(error.message).toContain("disk.capacity: current value is 1048576;");
    expect(held()).toEqual(before);
    expect(fs.existsSync(path)).toBe(false);
  });
});

/** Writes the right checksum to both copies of a manifest, as another release would. */
async function resealManifest(file: Buffer): Promise<void> {
  const hasher = await createHasher();
  for (const copy of [0, 4096]) {
    const sum = hasher.h64(file.subarray(copy, copy + 4088));
    file.writeBigUInt64LE(sum, copy + 4088);
  }
}

test("a directory written by another codec starts cold and reports it", async () => {
  const path = freshPath();
  const first = await open({ codec: "json", ...diskAt(path) });
  first.set("k", { a: 1 });
  await first.close();
  const second = await open<unknown>(diskAt(path));
  let told: unknown;
  second.on("recovered", (event) => {
    told = event;
  });
  await until(() => told !== undefined);
  expect(told).toMatchObject({ kind: "cold", entries: 0 });
  expect((told as { reason: string }).reason).toContain("codec");
  expect(await second.get("k")).toBe(undefined);
  expect(second.set("k", new Map())).toBe("stored");
});

test("a directory holds only the cache's files, within the capacity", async () => {
  const path = freshPath();
  const cache = await open(diskAt(path));
  cache.set("k", 1);
  await cache.flush({ fsync: true });
  const names = fs.readdirSync(path);
  expect(names).toContain("undercroft.manifest");
  expect(names.every((name) => /^(?:undercroft\.|segment-)/.test(name))).toBe(true);
  const bytes = names.reduce((sum, name) => sum + fs.statSync(join(path, name)).size, 0);
  expect(bytes).toBeLessThanOrEqual(8 * 1024 * 1024);
});

describe("a process that does not close its cache", () => {
  const door = fileURLToPath(new URL("../../dist/src/mod.js", import.meta.url));
  const scripts = {
    "memory only": "const cache = await openCache({ memory: '2mb' }); cache.set('k', 1);",
    "with a disk": "const cache = await openCache(disk); cache.set('k', 1);",
    "after a flush": "const cache = await openCache(disk); cache.set('k', 1); await cache.flush();",
    "after setAsync":
      "const cache = await openCache(disk); await cache.setAsync('k', 'x'.repeat(100000));",
    "with a listener":
      "const cache = await openCache(disk); cache.on('evict', () => {}); await cache.get('k');",
    "closed in order":
      "const cache = await openCache(disk); cache.set('k', 1); await cache.close();",
    "while another thread is attached":
      "const cache = await openCache(disk); const { attachCache } = door; " +
      "attachCache(cache.handle()).set('k', 1);",
  };

  test.each(Object.entries(scripts))(
    "%s: it ends by itself with exit code 0",
    async (_name, script) => {
      const path = freshPath();
      const lines = [
        `import * as door from ${JSON.stringify(door)};`,
        "const { openCache } = door;",
        `const disk = ${JSON.stringify({ memory, ...diskAt(path) })};`,
        script,
        "process.on('exit', () => process.stdout.write('ended'));",
      ];
      expect(await run(lines.join("\n"))).toEqual({ code: 0, signal: null, output: "ended" });
      const cache = await open(diskAt(path));
      const value = await cache.get("k");
      const isInterned = script.includes("flush") || script.includes("close()");
      expect(value === 1 || !isInterned).toBe(true);
      expect(cache.set("k", 2)).toBe("stored");
    },
  );

  test("and throws: it ends with the error", async () => {
    const script = `import { openCache } from ${JSON.stringify(door)};
      await openCache({ memory: "2mb" });
      throw new Error("the program's own");`;
    expect((await run(script)).code).toBe(1);
  });
});

/** Runs a program to its end. After twenty seconds it is killed, which shows as a signal. */
function run(
  script: string,
): Promise<{ code: number | null; signal: string | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 20_000,
      killSignal: "SIGKILL",
    });
    let output = "";
    child.stdout.on("data", (data: Buffer) => (output += data.toString()));
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, output }));
  });
}
