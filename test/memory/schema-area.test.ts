// The schema dictionary in shared memory: who may add, what the others see, and what a failed write
// leaves.

import { expect, test } from "vitest";
import { schemaEntriesStart, schemasMax } from "../../dist/src/dictionary/mod.js";
import { emptySchemas, readSchemas } from "../../dist/src/directory/schema-file.js";
import { createHasher } from "../../dist/src/hash/mod.js";
import * as at from "../../dist/src/kernel/layout.js";
import { compileKernel, createRegion, divide, Kernel } from "../../dist/src/kernel/mod.js";
import { loadSchemas, SchemaArea, type SchemaWriter } from "../../dist/src/memory/mod.js";
import { MiB } from "./opened-store.js";

const seed = 11n;
const hasher = await createHasher();

type LoadedSchemas = Parameters<typeof loadSchemas>[1];

/** A memory that holds what a directory remembered, as its opener prepares it; null for no
 *  directory. */
function openMemory(schemas: LoadedSchemas = null): WebAssembly.Memory {
  const request = {
    memoryBytes: MiB,
    diskCapacityBytes: 0,
    diskSegmentCount: 0,
    remembersSets: false,
    policyBytes: 0,
    samples: false,
    loads: true,
  };
  const memory = createRegion(divide({ ...request, diskSegmentBytes: 0 }), seed, 0);
  loadSchemas(Kernel.attach(module, memory), schemas);
  return memory;
}

const module = compileKernel();

function attach(memory: WebAssembly.Memory, write: SchemaWriter | null = null): SchemaArea {
  return new SchemaArea(Kernel.attach(module, memory), write);
}

test("every thread sees what one added, once", () => {
  const memory = openMemory();
  const [first, second] = [attach(memory), attach(memory)];
  expect(second.count).toBe(0);
  expect(first.add(["id", "näme"], 0)).toBe(true);
  // It knew of none, and there is one by now, which may be the same.
  expect(second.add(["id", "näme"], 0)).toBe(false);
  expect(second.add([], 1)).toBe(true);
  for (const area of [first, second]) {
    expect(area.count).toBe(2);
    expect([area.keysOf(0), area.keysOf(1)]).toEqual([["id", "näme"], []]);
  }
});

test("while one thread adds, another adds nothing", () => {
  const memory = openMemory();
  const area = attach(memory);
  const words = new Int32Array(memory.buffer);
  words[at.controlSchemaLock / 4] = 60;
  expect(area.add(["id"], 0)).toBe(false);
  words[at.controlSchemaLock / 4] = 0;
  expect(area.add(["id"], 0)).toBe(true);
  expect(words[at.controlSchemaLock / 4]).toBe(0);
});

test("a schema that could not be written has no id, and the next schema gets it", () => {
  const memory = openMemory();
  const file = emptySchemas();
  let writesLeft = 1;
  const area = attach(memory, (...written) => {
    // Nobody counts it before it is written.
    expect(area.count).toBe(0);
    return written.every(({ bytes, offset }) => {
      if (writesLeft-- <= 0) return false;
      file.set(bytes, offset);
      return true;
    });
  });
  expect(area.add(["half", "written"], 0)).toBe(false);
  writesLeft = 2;
  expect(area.add(["other"], 0)).toBe(true);
  expect(area.keysOf(0)).toEqual(["other"]);
  const reading = readSchemas(file, seed, hasher);
  expect(reading.count).toBe(1);
  const next = openMemory(reading);
  const later = attach(next);
  expect(later.keysOf(0)).toEqual(["other"]);
  expect(later.add(["more"], 1)).toBe(true);
  expect(later.keysOf(0)).toEqual(["other"]);
});

test("ids without a schema stay without one", () => {
  const { image } = readSchemas(emptySchemas(), seed, hasher);
  const memory = openMemory({ image, count: 5, end: schemaEntriesStart });
  const area = attach(memory);
  expect(area.add(["id"], 5)).toBe(true);
  expect([0, 4, 5].map((id) => area.keysOf(id))).toEqual([null, null, ["id"]]);
});

test("the dictionary is full when its ids or its room are used up", () => {
  const memory = openMemory();
  const area = attach(memory);
  for (let id = 0; id < schemasMax; id++) expect(area.add([`${id}`], id)).toBe(true);
  expect(area.isFull).toBe(true);
  expect(area.add(["one", "more"], schemasMax)).toBe(false);

  const tight = openMemory();
  const long = attach(tight);
  let count = 0;
  while (long.add(["x".repeat(990), `${count}`], count)) count += 1;
  expect(long.isFull).toBe(true);
  expect(count).toBe(28);
  for (let id = 0; id < count; id++) expect(long.keysOf(id)).toEqual(["x".repeat(990), `${id}`]);
  // The invalidation log begins behind it.
  const words = new Uint32Array(memory.buffer);
  expect(at.invalidationLog).toBe(at.schemaTable + at.schemaTableSize);
  expect(words[at.invalidationLog / 4]).toBe(0);
});

test("a schema too long for an entry is not added", () => {
  const memory = openMemory();
  const area = attach(memory);
  expect(area.add(["x".repeat(2000)], 0)).toBe(false);
  expect(area.count).toBe(0);
});
