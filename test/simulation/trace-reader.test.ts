// Reading traces: both forms, packed or not, in chunks of any length, and the errors for malformed
// ones.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { afterAll, expect, test } from "vitest";

import { BinaryTrace } from "../../dist/src/simulation/binary-trace.js";
import { CsvTrace } from "../../dist/src/simulation/csv-trace.js";
import { readTrace, type Trace, traceName } from "../../dist/src/simulation/mod.js";

const directory = mkdtempSync(join(tmpdir(), "undercroft-trace-"));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function written(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function records(...rows: readonly (readonly [key: bigint, size: number, ttl: number])[]): Buffer {
  const bytes = Buffer.alloc(rows.length * 16);
  for (const [index, [key, size, ttl]] of rows.entries()) {
    bytes.writeBigUInt64LE(key, index * 16);
    bytes.writeUInt32LE(size, index * 16 + 8);
    bytes.writeUInt32LE(ttl, index * 16 + 12);
  }
  return bytes;
}

const shown = ({ name, keys, key, size }: Trace): unknown => ({
  name,
  keys,
  key: [...key],
  size: size === null ? null : [...size],
});

test("records of 16 bytes are read, packed or not, and keys of 64 bits told apart", async () => {
  const bytes = records([7n, 10, 0], [2n ** 63n + 7n, 0, 9], [7n, 10, 0]);
  const expected = { keys: 2, key: [0, 1, 0], size: [10, 1, 10] };
  expect(shown(await readTrace(written("a.bin", bytes)))).toEqual({ name: "a", ...expected });
  expect(shown(await readTrace(written("b.bin.gz", gzipSync(bytes))))).toEqual({
    name: "b",
    ...expected,
  });
  // Without a file extension that tells, the bytes do.
  expect(shown(await readTrace(written("c", bytes)))).toEqual({ name: "c", ...expected });
});

test("CSV is read with and without a line that names the columns", async () => {
  const bare = written("bare.csv", "a,5\nb\r\n\n# a remark\na,5\n");
  expect(shown(await readTrace(bare))).toEqual({
    name: "bare",
    keys: 2,
    key: [0, 1, 0],
    size: [5, 1, 5],
  });
  const named = written("named.csv.gz", gzipSync("timestamp,size,obj_id\n1,5,a\n2,7,b\n3,5,a"));
  expect(shown(await readTrace(named))).toEqual({
    name: "named",
    keys: 2,
    key: [0, 1, 0],
    size: [5, 7, 5],
  });
  expect(shown(await readTrace(written("plain", "x\ny\nx\n")))).toEqual({
    name: "plain",
    keys: 2,
    key: [0, 1, 0],
    size: null,
  });
});

test("CSV is read with times to live and times", async () => {
  const trace = await readTrace(written("t.csv", "key,size,ttl,timestamp\na,1,10,100\nb,1,,101\n"));
  expect([...(trace.expires ?? [])]).toEqual([110, Infinity]);
  expect([...(trace.time ?? [])]).toEqual([100, 101]);
});

test("chunks may end anywhere", () => {
  const text = Buffer.from("key,size\nschlüssel,3\nb,4\nschlüssel,3");
  const bytes = records([1n, 3, 0], [2n, 4, 0], [1n, 3, 0]);
  for (let length = 1; length < 20; length++) {
    const [csv, binary] = [new CsvTrace("x"), new BinaryTrace("y")];
    for (let at = 0; at < text.length; at += length) csv.write(text.subarray(at, at + length));
    for (let at = 0; at < bytes.length; at += length) binary.write(bytes.subarray(at, at + length));
    csv.end();
    binary.end();
    for (const reader of [csv, binary]) {
      expect(shown(reader.builder.build("z"))).toEqual({
        name: "z",
        keys: 2,
        key: [0, 1, 0],
        size: [3, 4, 3],
      });
    }
  }
});

test("a trace of many keys keeps their numbers", async () => {
  const rows = Array.from({ length: 100_000 }, (_, index) => BigInt(index % 40_000) * 7919n);
  const trace = await readTrace(
    written("many.bin", records(...rows.map((key) => [key, 1, 0] as const))),
  );
  expect(trace.keys).toBe(40_000);
  expect(trace.key.every((number, index) => number === index % 40_000)).toBe(true);
});

test.each([
  ["size.csv", "a,1\nb,two\n", 'line 2: size is "two"; it must be a number'],
  ["zero.csv", "key,size\na,0\n", "line 2: size is 0; it must be a whole number of bytes"],
  ["half.csv", "a,1.5\n", "line 1: size is 1.5; it must be a whole number of bytes"],
  ["huge.csv", "a,4294967296\n", "line 1: size is 4294967296; it must be"],
  ["key.csv", "a,1\n,1\n", "line 2: it has no key"],
  ["ttl.csv", "a,1,-1\n", "line 1: ttl is -1; it must be seconds"],
  ["time.csv", "key,timestamp\na,noon\n", 'line 2: timestamp is "noon"; it must be a number'],
  ["empty.csv", "", "it has no requests"],
  ["header.csv", "key,size\n", "it has no requests"],
  ["cut.bin", "0123456789abcdefghi", "byte 16: the last record has 3 bytes; a record has 16"],
  ["not.bin.gz", "plain", "incorrect header check"],
  ["packed.csv", gzipSync("a,1\n"), "it is gzip data; let its name end in .gz"],
  ["wide.csv", Buffer.from("\ufeffa", "utf16le"), "it is UTF-16 text"],
  ["image.bin", Buffer.from("\x89PNG\r\n\x1a\n00000000", "latin1"), "it is an image"],
  ["tar.bin.gz", gzipSync(`${"x".repeat(257)}ustar`), "it is a tar archive; unpack it first"],
  ["object.json", '{\n "a": 1\n}\n', "line 1: it is JSON"],
  ["member.json", 'a\n"b": 1\n', "line 2: it is JSON"],
  ["list.json", "[1,2,3]", "line 1: it is JSON"],
  ["lines.json", '{"key":"a"}\n', "line 1: it is JSON"],
  ["page.txt", "<!doctype html>\n", "line 1: it is markup"],
  ["bytes.csv", Buffer.from([97, 10, 98, 0, 10]), "line 2: it is not UTF-8 text"],
  ["latin.csv", Buffer.from([97, 10, 0xe9, 10]), "line 2: it is not UTF-8 text"],
  ["any.bin", Buffer.alloc(1600, 0x5a), "100 of 100 records have a size above 1 GiB"],
])("%s is refused with its position", async (name, content, why) => {
  const path = written(name, content);
  await expect(readTrace(path)).rejects.toMatchObject({
    code: "ERR_TRACE",
    message: expect.stringContaining(why) as string,
  });
});

test("keys may look a little like other formats", async () => {
  const keys = ["{user}:1", "[::1]:80", '"quoted"', "a<b>", "http://a/?b={}", "PK-1"];
  const path = written("odd.csv", keys.map((key) => `${key},5\n`).join(""));
  expect((await readTrace(path)).keys).toBe(keys.length);
});

test("a missing or truncated file is refused", async () => {
  await expect(readTrace(join(directory, "none.csv"))).rejects.toMatchObject({ code: "ERR_TRACE" });
  await expect(readTrace(join(directory, "none.csv.gz"))).rejects.toMatchObject({
    code: "ERR_TRACE",
  });
  const whole = gzipSync(records([1n, 1, 0], [2n, 1, 0]));
  const path = written("short.bin.gz", whole.subarray(0, -9));
  await expect(readTrace(path)).rejects.toMatchObject({ code: "ERR_TRACE" });
});

test("a trace is named after its file, without extensions", () => {
  expect(["x/web.csv.gz", "web.bin", "web", "web.07.txt"].map(traceName)).toEqual([
    "web",
    "web",
    "web",
    "web.07",
  ]);
});
