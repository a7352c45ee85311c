// A program on a file system whose power is cut: it sets and deletes keys in an order that its
// judge knows, syncs now and then, and says each sync that has returned. Or it says what is there,
// in a boot of the machine that it is told.
import nodeFs from "node:fs";

import type * as device from "../../dist/src/device/mod.js";
import type * as undercroft from "../../dist/src/mod.js";

/** What the program is told. */
export interface PoweredOptions {
  readonly door: string;
  readonly device: string;
  readonly path: string;
  /** Null: write. Else read, in this boot. */
  readonly bootFile: string | null;
  readonly keys: number;
  readonly callsPerSync: number;
}

const options = JSON.parse(process.argv[2] ?? "{}") as PoweredOptions;
const { openCache } = (await import(options.door)) as typeof undercroft;

function say(line: string): void {
  nodeFs.writeSync(1, `${line}\n`);
}

async function open() {
  const disk = { path: options.path, capacity: "4mb", preload: false as const };
  return openCache<string>({ memory: "1mb", operators: false, near: false, disk });
}

async function write(): Promise<void> {
  const cache = await open();
  for (let call = 1; ; call++) {
    const key = `key-${(call * 7) % options.keys}`;
    if (call % 5 === 0) cache.delete(key);
    else cache.set(key, `${key}#${call};`.repeat(1 + (call % 40)));
    if (call % options.callsPerSync !== 0) continue;
    await cache.flush({ fsync: true });
    say(`synced ${call}`);
  }
}

async function read(bootFile: string): Promise<void> {
  const { useFileSystem } = (await import(options.device)) as typeof device;
  const openSync: typeof nodeFs.openSync = (path, ...rest) => {
    const isBoot = path === "/proc/sys/kernel/random/boot_id";
    return nodeFs.openSync(isBoot ? bootFile : path, ...rest);
  };
  useFileSystem({ ...nodeFs, openSync });
  const cache = await open();
  say(JSON.stringify(cache.recovery));
  const values: (string | null)[] = [];
  for (let number = 0; number < options.keys; number++) {
    values.push((await cache.get(`key-${number}`)) ?? null);
  }
  await cache.close();
  say(JSON.stringify(values));
}

try {
  if (options.bootFile === null) await write();
  else await read(options.bootFile);
} catch (error) {
  // Its file system is gone.
  if (options.bootFile !== null) throw error;
}
