// A program that streams values into a cache with a disk until it is killed, or whose disk stops
// taking writes (prlimit). streams.test.ts starts it.
import { execFileSync } from "node:child_process";
import { writeSync } from "node:fs";

import type * as Undercroft from "../../dist/src/mod.js";

/** What the program is told. */
export interface StreamedOptions {
  readonly door: string;
  readonly path: string;
  readonly bytes: number;
  /** "write": writes versions of one key one after the other until it is killed. "starve": the disk
   *  takes no more writes at half of the second version. */
  readonly what: "write" | "starve";
}

const options = JSON.parse(process.argv[2] ?? "{}") as StreamedOptions;
process.on("SIGXFSZ", () => undefined);

const { openCache } = (await import(options.door)) as typeof Undercroft;
const cache = await openCache({ memory: "2mb", disk: { path: options.path, capacity: "32mb" } });
const say = (line: string): unknown => writeSync(1, `${line}\n`);

/** A value of which every word names the version and its offset. */
function* version(number: number, half: () => void = () => undefined): Generator<Buffer> {
  for (let from = 0; from < options.bytes; from += 8192) {
    if (from === Math.floor(options.bytes / 2 / 8192) * 8192) half();
    const piece = Buffer.alloc(8192);
    for (let at = 0; at < 8192; at += 8) {
      piece.writeUInt32LE(number, at);
      piece.writeUInt32LE(from + at, at + 4);
    }
    yield piece;
  }
}

async function flushed(number: number): Promise<void> {
  const outcome = await cache.setStream("a", version(number));
  await cache.flush();
  say(`${number} ${outcome}`);
}

if (options.what === "write") {
  for (let number = 1; ; number++) await flushed(number);
}
await flushed(1);
const events: string[] = [];
cache.on("tier-down", ({ error }) => events.push(error.code));
const limit = (bytes: string): unknown =>
  execFileSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:unlimited`]);
const ended = await cache
  .setStream(
    "a",
    version(2, () => limit("100")),
  )
  .catch((error: { code?: string }) => error.code);
const whole = async (): Promise<string> => {
  let bytes = 0;
  const versions = new Set<number>();
  for await (const piece of (await cache.getStream("a")) ?? []) {
    const words = piece as Buffer;
    for (let at = 0; at < words.length; at += 8) versions.add(words.readUInt32LE(at));
    bytes += words.length;
  }
  return `${[...versions].join()}:${bytes}`;
};
const during = await whole().catch((error: { code?: string }) => error.code);
const small = await cache.setStream("small", [Buffer.alloc(50_000, 1)]);
limit("unlimited");
for (let turn = 0; cache.stats().disk?.state !== "up" && turn < 10_000; turn++) {
  await new Promise((resolve) => {
    setTimeout(resolve, 5);
  });
}
await flushed(3);
say(JSON.stringify({ ended, during, events, small, after: await whole() }));
process.kill(process.pid, "SIGKILL");
