import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import { flagCompressed, flagDiskLocation } from "../../dist/src/record/mod.js";
import * as counter from "../../dist/src/stats/mod.js";
import {
  fill,
  find,
  MiB,
  type OpenedStore,
  openStore,
  openStores,
  read,
  write,
} from "./opened-store.js";

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
    const fields = {
      expiresMs,
      staleUntilMs,
      tags: store.kernel.tags.encode(tags),
      createdMs: 1234,
    };
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
      // A longer record before it, none of which may show.
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
  test("is seen by other threads at once, as is remove()", () => {
    const [one, two] = openStores(2) as [OpenedStore, OpenedStore];
    write(one, "a", "1");
    expect(read(two, "a")).toBe("1");
    write(two, "a", "2");
    expect(read(one, "a")).toBe("2");
    expect(one.writer.remove("a")).toBe(true);
    expect(read(two, "a")).toBe("(none)");
    expect(two.writer.remove("a")).toBe(false);
  });

  test("answers too-large for what no segment can hold, and removes the older value", () => {
    const store = openStore();
    const room = store.writer.recordBytesMax - 24 - 1;
    expect(write(store, "a", new Uint8Array(room))).toBe("stored");
    expect(write(store, "a", new Uint8Array(room + 1))).toBe("too-large");
    expect(read(store, "a")).toBe("(none)");
    expect(store.kernel.total(counter.counterSetsTooLarge)).toBe(1);
    expect(store.kernel.total(counter.counterSetsStored)).toBe(1);
  });

  test("answers overloaded when no segment is free, and removes the older value", () => {
    const store = openStore();
    write(store, "a", "old");
    write(store, "b", "kept");
    fill(store);
    let foregroundReclaims = 0;
    store.writer.connect(
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

  test("succeeds when another thread makes room", () => {
    const store = openStore();
    const { verbs } = store.kernel;
    fill(store);
    store.writer.connect(
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
    const [one, two] = openStores(2) as [OpenedStore, OpenedStore];
    const { results, verbs } = one.kernel;
    const length = one.keys.write("a");
    verbs.hashKey(one.keys.at, length);
    const flight = verbs.beginFlight(results.hashLow, results.hashHigh);
    two.writer.remove("a");
    expect(write(one, "a", "filled", { flight })).toBe("superseded");
    expect(read(one, "a")).toBe("(none)");
    expect(one.kernel.total(counter.counterSetsStored)).toBe(0);
  });
});

describe("a key whose bucket lock is stuck", () => {
  function holdLock(store: OpenedStore, key: string): () => void {
    const { verbs, results, views, geometry } = store.kernel;
    const length = store.keys.write(key);
    verbs.hashKey(store.keys.at, length);
    const bucket = Number((BigInt(results.hashHigh) * BigInt(geometry.bucketCount)) >> 32n);
    const lock = (geometry.bucketBase + bucket * at.bucketSize) / 4;
    Atomics.store(views.i32, lock, 64);
    return () => {
      Atomics.store(views.i32, lock, 0);
    };
  }

  test("is not read again after a write or delete, and its disk copy gets a tombstone", () => {
    const store = openStore({ diskSegments: 4 });
    const tombstones: number[] = [];
    store.writer.connect(
      (location) => void tombstones.push(location),
      () => false,
    );
    for (const [attempt, act] of [
      (): unknown => write(store, "a", "new"),
      (): unknown => store.writer.remove("a"),
    ].entries()) {
      write(store, "a", "old");
      find(store, "a");
      const { views, block, results, verbs } = store.kernel;
      verbs.reserveDiskLocation(results.record, 70 + attempt);
      const release = holdLock(store, "a");
      expect(act()).toBe(attempt === 0 ? "overloaded" : true);
      expect(read(store, "a")).toBe("(none)");
      expect(tombstones).toEqual([70, 71].slice(0, attempt + 1));
      expect(views.u32[(block + at.threadTombstoneSegment0) / 4]).toBe(0);
      release();
      expect(read(store, "a")).toBe("(none)");
    }
  });
});

describe("what is on disk", () => {
  function demote(store: OpenedStore, key: string, location: number): void {
    expect(find(store, key)).toBe("memory");
    const { verbs, results } = store.kernel;
    const { record } = results;
    verbs.reserveDiskLocation(record, location);
    expect(verbs.demote(record)).toBe(at.answerDone);
  }

  function openWithDisk(): { store: OpenedStore; tombstones: number[] } {
    const store = openStore({ diskSegments: 4 });
    store.kernel.verbs.openDisk(0, 1, 0, 1, 0);
    store.kernel.verbs.extendDisk(0, MiB / 2, 1, Infinity, 2 ** 40);
    const tombstones: number[] = [];
    store.writer.connect(
      (location) => void tombstones.push(location),
      () => false,
    );
    return { store, tombstones };
  }

  test("is found by its location, and gets a tombstone before a write or delete returns", () => {
    const { store, tombstones } = openWithDisk();
    for (const key of ["a", "b"]) write(store, key, "old");
    demote(store, "a", 44);
    demote(store, "b", 45);
    expect(find(store, "a")).toBe("disk");
    const ref = store.reader.slotRef();
    expect(ref.location).toBe(44);
    expect(store.reader.isCurrent(ref)).toBe(true);
    write(store, "a", "new");
    expect(tombstones).toEqual([44]);
    expect(store.reader.isCurrent(ref)).toBe(false);
    expect(store.writer.remove("b")).toBe(true);
    expect(tombstones).toEqual([44, 45]);
    expect(find(store, "b")).toBe("none");
  });

  test("is dropped by drop() and promoted by promote()", () => {
    const { store, tombstones } = openWithDisk();
    write(store, "a", "value", { expiresMs: 7000 });
    find(store, "a");
    const copy = Buffer.from(store.record.buffer.subarray(0, store.record.size));
    demote(store, "a", 44);
    expect(find(store, "a")).toBe("disk");
    const [source] = openStores(1) as [OpenedStore];
    source.record.adopt(copy);
    source.record.parse(0);
    expect(store.writer.promote(source.record, store.reader.slotRef())).toBe(true);
    expect(read(store, "a")).toBe("value");
    expect(store.record.expiresMs).toBe(7000);
    demote(store, "a", 44);
    expect(find(store, "a")).toBe("disk");
    store.writer.drop(store.reader.slotRef());
    expect(tombstones).toEqual([44]);
    expect(find(store, "a")).toBe("none");
  });
});
