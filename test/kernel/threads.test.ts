import { Worker } from "node:worker_threads";

import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import { Kernel } from "../../dist/src/kernel/mod.js";
import * as counter from "../../dist/src/stats/mod.js";
import { openMemory, openThread, type Thread } from "./opened-kernel.js";

/** The word that a thread's locks hold. */
function lockWordOf(thread: Thread): number {
  return (thread.kernel.thread + 1) | (thread.word(at.threadIncarnation) << 8);
}

/** Makes a thread hold the lock of a key's home bucket, as if it had stopped with it. */
function holdLock(holder: Thread, key: string): number {
  const word = holder.bucketAt(holder.home(key)) / 4;
  const note = (holder.kernel.block + at.threadLock0) / 4;
  holder.kernel.views.i32[note] = word * 4;
  Atomics.store(holder.kernel.views.i32, word, lockWordOf(holder));
  return word;
}

describe("Kernel.attach()", () => {
  test("accepts 64 threads, and the next one only when one has left", () => {
    const memory = openMemory();
    const threads = Array.from({ length: at.userThreadsMax }, () => memory.thread());
    expect(new Set(threads.map(({ kernel }) => kernel.thread)).size).toBe(at.userThreadsMax);
    expect(() => memory.thread()).toThrow(
      expect.objectContaining({ code: "ERR_TOO_MANY_THREADS" }),
    );
    const leaver = threads[17] as Thread;
    leaver.put("a", "from the one that left");
    leaver.kernel.detach();
    const next = memory.thread();
    expect(next.kernel.thread).toBe(17);
    expect(next.word(at.threadIncarnation)).toBe(1);
    expect(next.get("a")).toBe("from the one that left");
    expect(() => memory.thread()).toThrow("64 thread ids are taken");
  });

  test("refuses memory that is no cache's, of another layout, or of a closed cache", () => {
    const { memory, module } = openMemory();
    const words = new Int32Array(memory.buffer);
    const attach = (): unknown => Kernel.attach(module, memory);
    Atomics.store(words, at.controlState / 4, at.stateClosed);
    expect(attach).toThrow(expect.objectContaining({ code: "ERR_CACHE_CLOSED" }));
    Atomics.store(words, at.controlState / 4, at.stateOpen);
    words[at.controlLayoutVersion / 4] = at.kernelLayoutVersion + 1;
    expect(attach).toThrow(expect.objectContaining({ code: "ERR_HANDLE" }));
    words[at.controlLayoutVersion / 4] = at.kernelLayoutVersion;
    words[at.controlMagic / 4] = 0;
    expect(attach).toThrow(expect.objectContaining({ code: "ERR_HANDLE" }));
  });

  test("detach() seals what the thread has open", () => {
    const memory = openMemory();
    const [leaver, other] = [memory.thread(), memory.thread()];
    leaver.put("a", "1");
    const segment = leaver.word(at.threadOpenSegment) - 1;
    expect(other.segmentState(segment)).toBe(at.segmentOpen);
    leaver.kernel.detach();
    expect(other.segmentState(segment)).toBe(at.segmentSealed);
  });

  test("total() includes threads that have left", () => {
    const memory = openMemory();
    const [leaver, other] = [memory.thread(), memory.thread()];
    leaver.put("a", "1");
    leaver.kernel.detach();
    other.put("b", "1");
    expect(other.kernel.total(counter.counterMemoryEntries)).toBe(2);
  });
});

describe("a bucket lock that another thread holds", () => {
  test("is waited for within a bound; then publish() and remove() answer busy", () => {
    const memory = openMemory();
    const [writer, holder] = [memory.thread(), memory.thread()];
    writer.put("a", "old");
    const word = holdLock(holder, "a");
    expect(writer.put("a", "new")).toBe(at.answerBusy);
    expect(writer.remove("a")).toBe(at.answerBusy);
    expect(writer.kernel.total(counter.counterLockTimeouts)).toBe(2);
    // Readers never wait.
    expect(writer.get("a")).toBe("old");
    Atomics.store(writer.kernel.views.i32, word, 0);
    expect(writer.put("a", "new")).toBe(at.answerDone);
    expect(writer.get("a")).toBe("new");
  });

  test("of a dead thread is freed by releaseLocks(), which leaves every other lock", () => {
    const memory = openMemory();
    const [owner, dead, living] = [memory.thread(), memory.thread(), memory.thread()];
    const first = holdLock(dead, "a");
    // A second lock is noted beside the first: publish tries it for the slot of another bucket's
    // entry.
    const { i32 } = owner.kernel.views;
    const second = dead.bucketAt((dead.home("a") + 1) % dead.kernel.geometry.bucketCount) / 4;
    i32[(dead.kernel.block + at.threadLock1) / 4] = second * 4;
    Atomics.store(i32, second, lockWordOf(dead));
    const kept = holdLock(living, "kept");
    expect(new Set([first, second, kept]).size).toBe(3);
    expect(owner.verbs.releaseLocks(lockWordOf(dead))).toBe(2);
    for (const word of [first, second]) expect(Atomics.load(i32, word)).toBe(0);
    expect(Atomics.load(i32, kept)).toBe(lockWordOf(living));
    expect(owner.verbs.releaseLocks(lockWordOf(dead))).toBe(0);
  });

  test.runIf(process.platform === "linux")(
    "of a dead thread is taken by who waits for it, with nobody else there to see to it",
    async () => {
      const memory = openMemory();
      const writer = memory.thread();
      writer.put("a", "old");
      const urlOf = (file: string): string =>
        JSON.stringify(new URL(`../../dist/src/kernel/${file}`, import.meta.url).href);
      const worker = new Worker(
        `const { parentPort, workerData } = require("node:worker_threads");
         const modules = [import(${urlOf("mod.js")}), import(${urlOf("layout.js")})];
         Promise.all(modules).then(([{ Kernel }, layout]) => {
           const { block, thread, views } = Kernel.attach(workerData.module, workerData.memory);
           views.i32[(block + layout.threadLock0) / 4] = workerData.lock * 4;
           const life = views.i32[(block + layout.threadIncarnation) / 4];
           Atomics.store(views.i32, workerData.lock, (thread + 1) | (life << 8));
           parentPort.postMessage("held");
         });
         setInterval(() => undefined, 1000);`,
        {
          eval: true,
          workerData: {
            module: memory.module,
            memory: memory.memory,
            lock: writer.bucketAt(writer.home("a")) / 4,
          },
        },
      );
      await new Promise((resolve) => worker.once("message", resolve));
      expect(writer.put("a", "refused")).toBe(at.answerBusy);
      await worker.terminate();
      expect(writer.put("a", "new")).toBe(at.answerDone);
      expect(writer.get("a")).toBe("new");
    },
  );

  test("is not released when the dead thread noted a lock that another holds", () => {
    const memory = openMemory();
    const [owner, dead, living] = [memory.thread(), memory.thread(), memory.thread()];
    const word = holdLock(living, "a");
    // It was waiting for the lock when it died.
    owner.kernel.views.i32[(dead.kernel.block + at.threadLock0) / 4] = word * 4;
    expect(owner.verbs.releaseLocks(lockWordOf(dead))).toBe(0);
    expect(Atomics.load(owner.kernel.views.i32, word)).toBe(lockWordOf(living));
  });

  test("of an earlier holder of a thread id is not the lock of the new holder", () => {
    const memory = openMemory();
    const [owner, first] = [memory.thread(), memory.thread()];
    const old = lockWordOf(first);
    first.kernel.detach();
    const second = memory.thread();
    expect(second.kernel.thread).toBe(first.kernel.thread);
    const word = holdLock(second, "a");
    expect(owner.verbs.releaseLocks(old)).toBe(0);
    expect(Atomics.load(owner.kernel.views.i32, word)).toBe(lockWordOf(second));
  });
});

describe("evictUnlocked()", () => {
  test("removes and counts the entry of a key whose lock is stuck", () => {
    const memory = openMemory();
    const [writer, holder] = [memory.thread(), memory.thread()];
    writer.put("a", "old");
    writer.put("b", "kept");
    holdLock(holder, "a");
    expect(writer.verbs.evictUnlocked(...writer.key("a"))).toBe(at.answerDone);
    expect(writer.get("a")).toBeUndefined();
    expect(writer.get("b")).toBe("kept");
    expect(writer.verbs.evictUnlocked(...writer.key("a"))).toBe(at.answerAbsent);
    expect(writer.kernel.total(counter.counterMemoryEntries)).toBe(1);
  });

  test("returns the disk copy that needs a tombstone, and announces it", () => {
    const writer = openThread({ diskSegments: 4 });
    writer.put("a", "old");
    const location = (1024 * 1024) / 16 + 9;
    expect(writer.verbs.reserveDiskLocation(writer.find("a").record, location)).toBe(at.answerDone);
    expect(writer.verbs.evictUnlocked(...writer.key("a"))).toBe(at.answerDone);
    expect(writer.double(at.resultTombstone0)).toBe(location);
    expect(writer.word(at.threadTombstoneSegment0)).toBe(2);
  });

  test("supersedes the flights of the key, before and after they publish", () => {
    const memory = openMemory();
    const [thread, other] = [memory.thread(), memory.thread()];
    const flight = thread.verbs.beginFlight(...thread.hashWords("a"));
    expect(other.verbs.evictUnlocked(...other.key("a"))).toBe(at.answerAbsent);
    expect(thread.put("a", "filled", { flight })).toBe(at.answerSuperseded);
    expect(thread.get("a")).toBeUndefined();
  });
});

describe("a segment whose record cannot be visited", () => {
  test("verbs that take a record answer that they cannot tell", () => {
    const memory = openMemory();
    const [writer, holder] = [memory.thread(), memory.thread()];
    writer.put("a", "1");
    const { record } = writer.find("a");
    const word = holdLock(holder, "a");
    const { verbs } = writer;
    expect(verbs.frequencyOfRecord(record)).toBe(at.answerBusy);
    expect(verbs.dropRecord(record)).toBe(at.answerBusy);
    expect(verbs.demote(record)).toBe(at.answerBusy);
    expect(verbs.move(record, at.logMain, 0)).toBe(at.answerBusy);
    expect(verbs.reserveDiskLocation(record, 5)).toBe(at.answerBusy);
    expect(writer.get("a")).toBe("1");
    Atomics.store(writer.kernel.views.i32, word, 0);
    expect(verbs.frequencyOfRecord(record)).toBe(0);
  });

  test("is blocked, not freed, so that no record that a slot names is overwritten", () => {
    const memory = openMemory();
    const [writer, holder] = [memory.thread(), memory.thread()];
    writer.put("a", "1");
    writer.put("b", "2");
    const { record } = writer.find("a");
    const segment = writer.seal(record);
    const free = writer.freeSegments();
    const word = holdLock(holder, "a");
    writer.evict(segment);
    expect(writer.segmentState(segment)).toBe(at.segmentBlocked);
    expect(writer.freeSegments()).toBe(free);
    expect(writer.get("a")).toBe("1");
    expect(writer.get("b")).toBeUndefined();
    // While the lock is held the segment stays; once it is free, the eviction starts again.
    writer.verbs.sweep(0, 1, 0);
    expect(writer.segmentState(segment)).toBe(at.segmentBlocked);
    Atomics.store(writer.kernel.views.i32, word, 0);
    writer.verbs.sweep(0, 1, 0);
    expect(writer.segmentState(segment)).toBe(at.segmentSealed);
    writer.evict(segment);
    expect(writer.segmentState(segment)).toBe(at.segmentFree);
    expect(writer.freeSegments()).toBe(free + 1);
    expect(writer.get("a")).toBeUndefined();
  });
});
