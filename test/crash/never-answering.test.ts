// A file system that never answers, such as that of a server which is gone: what waits for it ends
// within a bound. The bounds are made short here.
import { afterEach, expect, test } from "vitest";

import { type Engine, loadEngine, type Patch } from "../../dist/test/proof/disk/engine.js";
import { type FailingCall, FaultSwitch, faulty } from "../../dist/test/proof/disk/faulty-files.js";
import { fileSystemOver, MemoryFiles, root } from "../../dist/test/proof/disk/memory-files.js";

const file = "device/file-device.js";
const shortBounds: readonly Patch[] = [
  { file, from: "const readTimeoutMs = 30_000;", to: "const readTimeoutMs = 5;" },
  { file, from: "const syncTimeoutMs = 120_000;", to: "const syncTimeoutMs = 5;" },
];

let engine: Engine | undefined;

afterEach(() => engine?.remove());

async function openWith(call: FailingCall) {
  const loaded = await loadEngine(shortBounds);
  engine = loaded;
  const fault = new FaultSwitch(call, "never");
  loaded.useFileSystem(faulty(fileSystemOver(new MemoryFiles()), fault));
  const disk = { path: root, capacity: "2mb", preload: false as const };
  const open = () => loaded.attend(loaded.openCache({ memory: "1mb", operators: false, disk }));
  const attend = async <T>(call: Promise<T>): Promise<T> => loaded.attend(call);
  return { attend, fault, open };
}

test("a read is a miss", async () => {
  const { attend, fault, open } = await openWith("read");
  const first = await open();
  first.set("key", "value");
  await attend(first.close());
  const cache = await open();
  fault.turnOn(Infinity, 0);
  expect(await attend(cache.get("key"))).toBeUndefined();
  expect(cache.stats().diskErrors).toBe(1);
  fault.turnOff();
  expect(await attend(cache.get("key"))).toBe("value");
  await attend(cache.close());
});

test("a flush with fsync and a close reject", async () => {
  const { attend, fault, open } = await openWith("fsync");
  const cache = await open();
  cache.set("key", "value");
  fault.turnOn(Infinity, 0);
  await expect(attend(cache.flush({ fsync: true }))).rejects.toThrow("Cannot flush");
  await expect(attend(cache.close())).rejects.toThrow("did not answer within");
  expect(fault.failed).toBeGreaterThan(0);
});
