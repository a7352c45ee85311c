// A value that goes in and out as a stream takes little memory, however large it is, and comes back
// whole. Called by main.ts and, in its CI share, by a test that starts it as its own process.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Cache, openCache } from "../../src/mod.js";
import { hold, type Proof } from "./proof.js";

const MiB = 2 ** 20;
/** What the process may take more than before, while the value goes in and out. */
const addedBytesMax = 32 * MiB;
const pieceBytes = 64 * 1024;
/** Of the value that goes through first: code is compiled, heaps find their size, and the memory of
 *  the cache is in use. */
const warmUpMebibytes = 64;

/** The word at an offset of a value. */
function wordAt(seed: number, offset: number): number {
  return (Math.imul(offset / 4, 2_654_435_761) ^ seed) >>> 0;
}

class Watch {
  readonly before: number;
  most = 0;

  constructor() {
    for (let turn = 0; turn < 3; turn++) globalThis.gc?.();
    this.before = process.memoryUsage.rss();
  }

  look(): void {
    this.most = Math.max(this.most, process.memoryUsage.rss() - this.before);
  }
}

/** Stores a value of so many bytes and reads it. */
async function through(cache: Cache, seed: number, bytes: number, watch: Watch): Promise<void> {
  const piece = Buffer.alloc(pieceBytes);
  const source = function* (): Generator<Buffer> {
    for (let from = 0; from < bytes; from += pieceBytes) {
      for (let at = 0; at < pieceBytes; at += 4) piece.writeUInt32LE(wordAt(seed, from + at), at);
      watch.look();
      yield piece;
    }
  };
  const outcome = await cache.setStream("value", source(), { size: bytes });
  hold(outcome === "stored", `the value was not stored: ${outcome}`);
  let offset = 0;
  for await (const part of (await cache.getStream("value")) ?? []) {
    const read = part as Buffer;
    for (let at = (4 - (offset % 4)) % 4; at + 4 <= read.length; at += 4) {
      if (read.readUInt32LE(at) !== wordAt(seed, offset + at)) {
        hold(false, `the value is wrong at ${offset + at}`);
      }
    }
    offset += read.length;
    watch.look();
  }
  hold(offset === bytes, `${offset} of ${bytes} bytes came back`);
}

export const streams: Proof<"mebibytes" | "memory"> = {
  name: "streams",
  about: "a large value goes in and out by streams, with little memory",
  options: { mebibytes: 1024, memory: 16 },

  async run({ mebibytes, memory }): Promise<string> {
    const directory = mkdtempSync(join(tmpdir(), "undercroft-streams-"));
    const capacity = (Math.max(mebibytes, warmUpMebibytes) * 2 + 256) * MiB;
    const cache = await openCache({
      memory: memory * MiB,
      disk: { path: join(directory, "cache"), capacity },
    });
    try {
      await through(cache, 1, warmUpMebibytes * MiB, new Watch());
      const watch = new Watch();
      await through(cache, 2, mebibytes * MiB, watch);
      const added = `${(watch.most / MiB).toFixed(1)} MiB`;
      hold(watch.most < addedBytesMax, `${added} were added for ${mebibytes} MiB`);
      return `${mebibytes} MiB went in and out with ${added} of added memory`;
    } finally {
      await cache.close();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
