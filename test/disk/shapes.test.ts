// The file of shapes: what is whole comes back under its id, what is not is lost, and no byte of it can make a shape another.

import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import {
  decodePhrases,
  decodeShape,
  encodePhrases,
  encodeShape,
  shapeEntriesStart,
  shapeImageBytes,
  shapeSlotOf,
  shapesMax,
} from "../../dist/src/shapes/mod.js";
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { emptyShapes, readShapes } from "../../dist/src/disk/shapes.js";
import { clean, open, unclean } from "./scratch-directory.js";
import { hasher, scratchDirectory } from "./scratch.js";

const seed = 0x1234_5678_9abc_def0n;

/** A file with these shapes, as the table writes it. */
function fileOf(shapes: readonly (readonly string[])[], by = seed): Buffer {
  const file = emptyShapes();
  let offset = shapeEntriesStart;
  for (const [id, keys] of shapes.entries()) {
    const entry = encodeShape(id, keys) as Buffer;
    entry.copy(file, offset);
    file.writeUInt32LE(offset, shapeSlotOf(id));
    file.writeUInt32LE(entry.length, shapeSlotOf(id) + 4);
    file.writeBigUInt64LE(hasher.h64(entry, by), shapeSlotOf(id) + 8);
    offset = (offset + entry.length + 7) & ~7;
  }
  return file;
}

/** The shapes of an image by id; null for a lost one. */
function shapesOf(image: Buffer, count: number): (string[] | null)[] {
  return Array.from({ length: count }, (_, id) => {
    const offset = image.readUInt32LE(shapeSlotOf(id));
    const bytes = image.readUInt32LE(shapeSlotOf(id) + 4);
    return offset === 0 ? null : decodeShape(image.subarray(offset, offset + bytes), id);
  });
}

const shapes = [["id", "name"], [], ["name", "id", "naïve \u{1f600}"], ["x".repeat(500)]];

describe("readShapes()", () => {
  test("reads what was written, and where the next goes", () => {
    const { image, count, end } = readShapes(fileOf(shapes), seed, hasher);
    expect(shapesOf(image, count)).toEqual(shapes);
    expect(end % 8).toBe(0);
    expect(image.subarray(end).every((byte) => byte === 0)).toBe(true);
    const most = Array.from({ length: shapesMax }, (_, id) => [`${id}`]);
    expect(readShapes(fileOf(most), seed, hasher).count).toBe(shapesMax);
    expect(readShapes(emptyShapes(), seed, hasher)).toMatchObject({
      count: 0,
      end: shapeEntriesStart,
    });
  });

  test("any wrong byte loses shapes at most, and no id that was begun", () => {
    const whole = fileOf(shapes);
    const { end } = readShapes(whole, seed, hasher);
    const wrong: number[] = [];
    for (let at = 0; at < end; at++) {
      // Most slots are free.
      if (at > 200 && at < shapeEntriesStart - 20) continue;
      for (const flip of [1, 0xff]) {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        const { image, count } = readShapes(damaged, seed, hasher);
        const found = shapesOf(image, shapesMax);
        const mixed = found.some((keys, id) => !isDeepStrictEqual(keys ?? shapes[id], shapes[id]));
        const lost = shapes.filter((_, id) => found[id] === null).length;
        // Only magic and version are about all of them.
        const isAllowed = at < 12 || (count >= shapes.length && lost <= 1);
        if (mixed || !isAllowed) wrong.push(at);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("takes nothing from another directory, from a file of another length or from noise", () => {
    const nothing = (file: Buffer): void => {
      const { image } = readShapes(file, seed, hasher);
      expect(image.equals(Buffer.alloc(shapeImageBytes))).toBe(true);
    };
    nothing(fileOf(shapes, seed + 1n));
    nothing(fileOf(shapes).subarray(0, -1));
    nothing(Buffer.concat([fileOf(shapes), Buffer.alloc(1)]));
    nothing(Buffer.alloc(0));
    const noise = Buffer.from(emptyShapes());
    for (let at = 64; at < noise.length; at++) noise[at] = (at * 2654435761) >>> 24;
    nothing(noise);
    expect(readShapes(noise, seed, hasher).count).toBe(shapesMax);
  });

  test("a book of phrases comes back under its id, and a damaged one is lost", () => {
    const phrases = [Buffer.from("of the user"), Buffer.from("region:")];
    const file = fileOf(shapes);
    const { end } = readShapes(file, seed, hasher);
    const entry = encodePhrases(4, phrases);
    entry.copy(file, end);
    file.writeUInt32LE(end, shapeSlotOf(4));
    file.writeUInt32LE(entry.length, shapeSlotOf(4) + 4);
    file.writeBigUInt64LE(hasher.h64(entry, seed), shapeSlotOf(4) + 8);
    const whole = readShapes(file, seed, hasher);
    expect(whole.count).toBe(5);
    expect(whole.end).toBeGreaterThanOrEqual(end + entry.length);
    const found = decodePhrases(whole.image.subarray(end, end + entry.length), 4);
    expect(found?.map((phrase) => Buffer.from(phrase))).toEqual(phrases);
    for (let at = end; at < end + entry.length; at++) {
      const damaged = Buffer.from(file);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      const { image, count } = readShapes(damaged, seed, hasher);
      expect([count, image.readUInt32LE(shapeSlotOf(4))]).toEqual([5, 0]);
    }
  });

  test("an entry written over before its shape was counted is lost, not mixed", () => {
    const file = fileOf(shapes);
    const offset = file.readUInt32LE(shapeSlotOf(3));
    (encodeShape(3, ["other"]) as Buffer).copy(file, offset);
    const { image, count } = readShapes(file, seed, hasher);
    expect(shapesOf(image, count)).toEqual([...shapes.slice(0, 3), null]);
  });
});

describe("a directory", () => {
  test("brings its shapes back after a close and after a kill, and forgets them when it starts anew", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    expect(first.shapes.count).toBe(0);
    writeFileSync(join(path, "undercroft.shapes"), fileOf(shapes, first.seed));
    await first.close({ ...clean, shapes: 4 });
    for (const end of [unclean, clean, unclean]) {
      const next = await open(path);
      expect(shapesOf(next.shapes.image, next.shapes.count)).toEqual(shapes);
      await next.close(end);
    }
    const cold = await open(path, { codecName: "other" });
    expect(cold.shapes).toMatchObject({ count: 0, end: shapeEntriesStart });
    expect(readFileSync(join(path, "undercroft.shapes")).equals(emptyShapes())).toBe(true);
    await cold.close(clean);
  });

  test.each([
    ["is gone", (file: string) => rmSync(file)],
    ["is cut", (file: string) => truncateSync(file, 5000)],
    ["is empty", (file: string) => truncateSync(file, 0)],
    ["is longer", (file: string) => truncateSync(file, 40_000)],
    ["is zeros", (file: string) => writeFileSync(file, Buffer.alloc(shapeImageBytes))],
  ])("gives no id out again when the file %s", async (_, damage) => {
    const path = scratchDirectory();
    const file = join(path, "undercroft.shapes");
    const first = await open(path);
    writeFileSync(file, fileOf(shapes, first.seed));
    await first.close({ ...clean, shapes: 4 });
    damage(file);
    const next = await open(path);
    expect(next.recovery.kind).not.toBe("cold");
    expect(next.shapes.count).toBe(4);
    expect(shapesOf(next.shapes.image, 4)).toEqual([null, null, null, null]);
    await next.close(clean);
    expect(existsSync(file) && readFileSync(file).length).toBe(shapeImageBytes);
    const last = await open(path);
    expect(last.shapes.count).toBe(4);
    await last.close(clean);
  });
});
