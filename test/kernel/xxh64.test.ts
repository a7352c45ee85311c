import { randomBytes } from "node:crypto";

import { describe, expect, test } from "vitest";
import xxhash from "xxhash-wasm";

import * as at from "../../dist/src/kernel/layout.js";
import { builds, bytesOf, openThread } from "./opened-kernel.js";

const api = await xxhash();

describe.each(builds)("hashKey() of %s", (build) => {
  test.each([0n, 7n, 0xfedcba9876543210n])("is XXH64 with seed %s for every length", (seed) => {
    const thread = openThread({ build, seed });
    for (let length = 1; length <= 300; length++) {
      for (let round = 0; round < 4; round++) {
        const key = randomBytes(length);
        expect(thread.hash(key)).toBe(api.h64Raw(key, seed));
      }
    }
  });

  test("is XXH64 for keys of 64 KiB behind the segments", () => {
    const seed = 0x0123456789abcdefn;
    const thread = openThread({ build, seed, memoryBytes: 64 * 1024 * 1024 });
    for (const length of [65_535, 65_536]) {
      const key = randomBytes(length);
      const place = thread.kernel.geometry.totalBytes;
      thread.kernel.views.u8.set(key, place);
      thread.verbs.hashKey(place, length);
      const low = BigInt(thread.word(at.resultHashLow));
      expect(low | (BigInt(thread.word(at.resultHashHigh)) << 32n)).toBe(api.h64Raw(key, seed));
    }
  });

  test("is the same wherever the bytes are", () => {
    const thread = openThread({ build, seed: 1n });
    const key = randomBytes(77);
    const place = thread.kernel.block + at.threadKeyScratch;
    for (let shift = 0; shift < 16; shift++) {
      thread.kernel.views.u8.set(key, place + shift);
      thread.verbs.hashKey(place + shift, key.length);
      expect(BigInt(thread.word(at.resultHashLow))).toBe(api.h64Raw(key, 1n) & 0xffffffffn);
    }
  });
});

test("kernel.wasm has the three fences of its readers, kernel-tso.wasm none", () => {
  const fence = Buffer.from([0xfe, 0x03, 0x00]);
  const fencesIn = (build: string): number => {
    const bytes = Buffer.from(bytesOf(build));
    let count = 0;
    for (let from = bytes.indexOf(fence); from >= 0; from = bytes.indexOf(fence, from + 1)) {
      count += 1;
    }
    return count;
  };
  expect(fencesIn("kernel.wasm")).toBe(3);
  expect(fencesIn("kernel-tso.wasm")).toBe(0);
});

describe.each(builds)("checksumOnDisk() of %s", (build) => {
  test("is XXH64 of the record with its disk location zero", () => {
    const thread = openThread({ build, seed: 1n });
    const place = thread.kernel.block + at.threadKeyScratch;
    for (let size = 33; size <= 300; size++) {
      const record = randomBytes(size);
      record.writeUIntLE(size, 0, 3);
      thread.kernel.views.u8.set(record, place);
      record.fill(0, 24, 32);
      const seed = randomBytes(8).readBigUInt64LE(0);
      const [low, high] = [Number(seed & 0xffff_ffffn), Number(seed >> 32n)];
      const checksum = thread.verbs.checksumOnDisk(place, low, high) >>> 0;
      expect(checksum).toBe(Number(api.h64Raw(record, seed) & 0xffff_ffffn));
    }
  });
});
