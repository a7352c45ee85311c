import { describe, expect, test } from "vitest";

import { type KernelVerbs, layout as at } from "../../dist/src/kernel/mod.js";
import { MemoryStore } from "../../dist/src/memory/mod.js";
import { encodeTags, flagCompressed, flagDiskLocation } from "../../dist/src/record/mod.js";
import * as counter from "../../dist/src/stats/mod.js";
import { fill, find, MiB, openStore, openStores, read, write } from "./opened-store.js";

describe("a record comes back as it was written", () => {
  const combinations = [0, 8].flatMap((diskSegments) =>
    [Infinity, 9000].flatMap((expiresMs) =>
      [0, 700].flatMap((staleFor) =>
        [[], ["user:7"], ["a", "é", "x".repeat(200)]].map((tags) => ({
          diskSegments,
          expiresMs,
          staleFor,
          tags,
        })),
      ),
    ),
  );

  test.each(combinations)("%j", ({ diskSegments, expiresMs, staleFor, tags }) => {
    const store = openStore({ diskSegments, createdBaseMs: 1000 });
    const staleUntilMs = expiresMs + staleFor;
    const fields = { expiresMs, staleUntilMs, tags: encodeTags(tags), createdMs: 1234 };
    expect(write(store, "key", "value", { ...fields, flags: flagCompressed })).toBe("stored");
    expect(read(store, "key")).toBe("value");
    const { record } = store;
    expect(record.key()).toBe("key");
    expect(record.codecId).toBe(3);
    expect(record.createdMs).toBe(1234);
    expect(record.expiresMs).toBe(expiresMs);
    expect(record.staleUntilMs).toBe(staleUntilMs);
    expect(record.tags()).toEqual(tags);
    expect(record.sequence).toBe(1);
    expect(record.flags & flagCompressed).toBe(flagCompressed);
    expect(record.flags & flagDiskLocation).toBe(diskSegments > 0 ? flagDiskLocation : 0);
    expect(record.size).toBe(record.valueEnd);
  });

  test.each([0, 1, 2, 3, 7, 8, 9, 400, 487, 488, 489, 512, 4096, 30_000])(
    "with a value of %i bytes",
    (length) => {
      const store = openStore();
      const value = Uint8Array.from({ length }, (_, byte) => (byte * 13 + 5) & 255);
      // A longer record before it: nothing of that may show.
      write(store, "before", new Uint8Array(20_000).fill(255));
      find(store, "before");
      expect(write(store, "key", value)).toBe("stored");
      expect(find(store, "key")).toBe("memory");
      const { buffer, valueStart, valueEnd } = store.record;
      expect(Uint8Array.from(buffer.subarray(valueStart, valueEnd))).toEqual(value);
    },
  );
});

describe("write()", () => {
  test("is seen by other threads at once, and so is remove()", () => {
    const [one, two] = openStores(2) as [MemoryStore, MemoryStore];
    write(one, "a", "1");
    expect(read(two, "a")).toBe("1");
    write(two, "a", "2");
    expect(read(one, "a")).toBe("2");
    expect(one.remove(one.keys.write("a"))).toBe(true);
    expect(read(two, "a")).toBe("(none)");
    expect(two.remove(two.keys.write("a"))).toBe(false);
  });

  test("answers too-large for what no segment holds, and the older value is gone", () => {
    const store = openStore();
    const room = store.recordBytesMax - 24 - 1;
    expect(write(store, "a", new Uint8Array(room))).toBe("stored");
    expect(write(store, "a", new Uint8Array(room + 1))).toBe("too-large");
    expect(read(store, "a")).toBe("(none)");
    expect(store.kernel.total(counter.counterSetsTooLarge)).toBe(1);
    expect(store.kernel.total(counter.counterSetsStored)).toBe(1);
  });

  test("answers overloaded when no segment is free, and the older value is gone", () => {
    const store = openStore();
    write(store, "a", "old");
    write(store, "b", "kept");
    fill(store);
    let foregroundReclaims = 0;
    store.connect(
      () => undefined,
      () => {
        foregroundReclaims += 1;
        return false;
      },
    );
    expect(write(store, "a", "new")).toBe("overloaded");
    expect(foregroundReclaims).toBe(1);
    expect(read(store, "a")).toBe("(none)");
    expect(read(store, "b")).toBe("kept");
    expect(store.kernel.total(counter.counterSetsOverloaded)).toBe(1);
  });

  test("goes on when somebody makes room", () => {
    const store = openStore();
    const { verbs } = store.kernel;
    fill(store);
    store.connect(
      () => undefined,
      () => {
        for (const segment of [5, 6, 7]) {
          if (verbs.claimSegment(segment) === 1) verbs.freeSegment(segment);
        }
        return true;
      },
    );
    expect(write(store, "a", "new")).toBe("stored");
    expect(read(store, "a")).toBe("new");
  });

  test("answers superseded for a fill that a delete superseded", () => {
    const [one, two] = openStores(2) as [MemoryStore, MemoryStore];
    one.kernel.verbs.hashKey(one.keys.at, one.keys.write("a"));
    const flight = one.kernel.verbs.beginFlight();
    two.remove(two.keys.write("a"));
    expect(write(one, "a", "filled", { flight })).toBe("superseded");
    expect(read(one, "a")).toBe("(none)");
    expect(one.kernel.total(counter.counterSetsStored)).toBe(0);
  });
});

describe("a key whose bucket lock is stuck", () => {
  function holdLock(store: MemoryStore, key: string): () => void {
    const { verbs, block, views, geometry } = store.kernel;
    verbs.hashKey(store.keys.at, store.keys.write(key));
    const hash = BigInt(views.u32[(block + at.resultHashHigh) / 4] as number);
    const bucket = Number((hash * BigInt(geometry.bucketCount)) >> 32n);
    const lock = (geometry.bucketBase + bucket * at.bucketSize) / 4;
    Atomics.store(views.i32, lock, 64);
    return () => {
      Atomics.store(views.i32, lock, 0);
    };
  }

  test("is not read again after a write or delete, and its disk copy is marked dead", () => {
    const store = openStore({ diskSegments: 4 });
    const killed: number[] = [];
    store.connect(
      (location) => void killed.push(location),
      () => false,
    );
    for (const [turn, act] of [
      (): unknown => write(store, "a", "new"),
      (): unknown => store.remove(store.keys.write("a")),
    ].entries()) {
      write(store, "a", "old");
      find(store, "a");
      const { views, block, verbs } = store.kernel;
      const record = views.u32[(block + at.resultRecord) / 4] as number;
      verbs.reserveDiskLocation(record, 70 + turn);
      const release = holdLock(store, "a");
      expect(act()).toBe(turn === 0 ? "overloaded" : true);
      expect(read(store, "a")).toBe("(none)");
      expect(killed).toEqual([70, 71].slice(0, turn + 1));
      expect(views.u32[(block + at.threadTombstoneSegment0) / 4]).toBe(0);
      release();
      expect(read(store, "a")).toBe("(none)");
    }
  });
});

describe("what is on disk", () => {
  function demote(store: MemoryStore, key: string, location: number): void {
    expect(find(store, key)).toBe("memory");
    const { verbs, views, block } = store.kernel;
    const record = views.u32[(block + at.resultRecord) / 4] as number;
    verbs.reserveDiskLocation(record, location);
    expect(verbs.demote(record)).toBe(at.answerDone);
  }

  function openWithDisk(): { store: MemoryStore; killed: number[] } {
    const store = openStore({ diskSegments: 4 });
    store.kernel.verbs.openDisk(0, 1, 0, 1, 0);
    store.kernel.verbs.extendDisk(0, MiB / 2, 1, Infinity, 2 ** 40);
    const killed: number[] = [];
    store.connect(
      (location) => void killed.push(location),
      () => false,
    );
    return { store, killed };
  }

  test("is found by its location, and a write or delete kills it before it returns", () => {
    const { store, killed } = openWithDisk();
    for (const key of ["a", "b"]) write(store, key, "old");
    demote(store, "a", 44);
    demote(store, "b", 45);
    expect(find(store, "a")).toBe("disk");
    expect(store.location).toBe(44);
    expect(store.isCurrent()).toBe(true);
    write(store, "a", "new");
    expect(killed).toEqual([44]);
    expect(store.isCurrent()).toBe(false);
    expect(store.remove(store.keys.write("b"))).toBe(true);
    expect(killed).toEqual([44, 45]);
    expect(find(store, "b")).toBe("none");
  });

  test("is dropped by dropFound() and comes back by promote()", () => {
    const { store, killed } = openWithDisk();
    write(store, "a", "value", { expiresMs: 7000 });
    find(store, "a");
    const copy = Buffer.from(store.record.buffer.subarray(0, store.record.size));
    demote(store, "a", 44);
    expect(find(store, "a")).toBe("disk");
    const [source] = openStores(1) as [MemoryStore];
    source.record.adopt(copy);
    source.record.parse(0);
    expect(store.promote(source.record)).toBe(true);
    expect(read(store, "a")).toBe("value");
    expect(store.record.expiresMs).toBe(7000);
    demote(store, "a", 44);
    expect(find(store, "a")).toBe("disk");
    store.dropFound();
    expect(killed).toEqual([44]);
    expect(find(store, "a")).toBe("none");
  });
});

describe("a record that changes while it is copied", () => {
  /** A store whose kernel runs `meanwhile` before each check of a copy, as another thread might. */
  function disturbed(meanwhile: () => void): MemoryStore {
    const store = openStore();
    const verbs: KernelVerbs = {
      ...store.kernel.verbs,
      validate: (slot, low, high) => {
        meanwhile();
        return store.kernel.verbs.validate(slot, low, high);
      },
    };
    const kernel = new Proxy(store.kernel, {
      get: (target, name) => (name === "verbs" ? verbs : Reflect.get(target, name, target)),
    });
    return new MemoryStore(kernel);
  }

  test("is looked up anew", () => {
    let writes = 0;
    const reader: MemoryStore = disturbed(() => {
      if (writes >= 3) return;
      writes += 1;
      write(writer, "a", `version ${writes}`);
    });
    const writer = new MemoryStore(reader.kernel);
    write(writer, "a", "version 0");
    expect(read(reader, "a")).toBe("version 3");
    expect(writes).toBe(3);
  });

  test("is a miss when it goes, or changes every time", () => {
    let change = (): void => void writer.remove(writer.keys.write("a"));
    const reader: MemoryStore = disturbed(() => {
      change();
    });
    const writer = new MemoryStore(reader.kernel);
    write(writer, "a", "1");
    expect(find(reader, "a")).toBe("none");
    let writes = 0;
    change = () => {
      writes += 1;
      write(writer, "a", String(writes));
    };
    write(writer, "a", "0");
    expect(find(reader, "a")).toBe("none");
    expect(writes).toBe(at.readRetriesMax);
  });
});

test("find() counts hits for eviction only with touch", () => {
  const store = openStore();
  write(store, "a", "1");
  const { views, block, verbs } = store.kernel;
  store.find(store.keys.write("a"), true);
  store.find(store.keys.write("a"), false);
  const record = views.u32[(block + at.resultRecord) / 4] as number;
  expect(verbs.frequencyOfRecord(record)).toBe(1);
});
