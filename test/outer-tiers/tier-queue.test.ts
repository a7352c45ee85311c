// What waits for a tier: its bounds, and the order in which changes come.
import { describe, expect, test } from "vitest";
import { idOf, type KeyChange } from "../../dist/src/outer-tiers/change.js";
import { RecentChanges } from "../../dist/src/outer-tiers/host/recent-changes.js";
import {
  batchChangesMax,
  queuedBytesMax,
  queuedChangesMax,
  TierQueue,
} from "../../dist/src/outer-tiers/host/tier-queue.js";

function change(key: string, fields: Partial<KeyChange> & { readonly bytes?: number } = {}) {
  const { bytes = 10, ...rest } = fields;
  const times = { createdAt: 0, expiresAt: Infinity, staleUntil: Infinity, tags: [] };
  const entry = { value: new Uint8Array(bytes), ...times };
  const name = { namespace: "", key: Buffer.from(key), hashLow: 1, hashHigh: 1 };
  return { kind: "key", ...name, change: 1, sequence: 1, entry, ...rest } satisfies KeyChange;
}

describe("the queue of a tier", () => {
  test("drops the values that it has no room for, and keeps their keys", () => {
    const queue = new TierQueue();
    const half = queuedBytesMax / 2;
    expect(queue.add(change("a", { bytes: half }))).toBe("added");
    expect(queue.add(change("b", { bytes: half }))).toBe("added");
    expect(queue.add(change("c"))).toBe("dropped");
    expect(queue.find(idOf(change("c")))?.entry).toBeNull();
    // A newer change of a key gives back the bytes of the older one.
    expect(queue.add(change("a"))).toBe("added");
    expect(queue.add(change("c"))).toBe("added");
    expect(queue.size).toBe(3);
  });

  test("is full at its most keys", () => {
    const queue = new TierQueue();
    for (let key = 0; key < queuedChangesMax; key++) queue.add(change(`${key}`, { entry: null }));
    expect(queue.add(change("0"))).toBe("added");
    expect(queue.add(change("one more"))).toBe("full");
  });

  test("gives batches of a bounded size, oldest first, and knows what was made", () => {
    const queue = new TierQueue();
    for (let key = 0; key <= batchChangesMax; key++) queue.add(change(`${key}`));
    queue.add(change("0"));
    const { ticket } = queue;
    queue.add(change("late"));
    const first = queue.take();
    expect(first.length).toBe(batchChangesMax);
    expect(first[0]).toMatchObject({ kind: "set", key: Buffer.from("0") });
    expect(queue.hasMade(ticket)).toBe(false);
    queue.made();
    expect(queue.hasMade(ticket)).toBe(false);
    queue.take();
    queue.failed();
    expect([queue.hasMade(ticket), queue.size]).toEqual([false, 2]);
    queue.take();
    queue.made();
    expect([queue.hasMade(ticket), queue.hasMade(queue.ticket), queue.size]).toEqual([
      true,
      true,
      0,
    ]);
  });

  test("a change is made when the newest of its key is: no flush ends before", () => {
    const queue = new TierQueue();
    queue.add(change("a", { sequence: 1 }));
    const { ticket } = queue;
    queue.take();
    queue.add(change("a", { sequence: 2 }));
    queue.failed();
    expect(queue.hasMade(ticket)).toBe(false);
    queue.add(change("a", { sequence: 3 }));
    expect(queue.hasMade(ticket)).toBe(false);
    // A clear that comes first in its place.
    queue.addVoid({ kind: "void", names: ["*"], sequence: 4 });
    expect(queue.hasMade(ticket)).toBe(false);
    queue.take();
    queue.addVoid({ kind: "void", names: ["tt"], sequence: 5 });
    queue.failed();
    queue.addVoid({ kind: "void", names: ["tu"], sequence: 6 });
    expect(queue.hasMade(ticket)).toBe(false);
    queue.take();
    queue.made();
    expect(queue.hasMade(queue.ticket)).toBe(true);
  });

  test("what others changed is deleted: what waits, and after what is being made", () => {
    const queue = new TierQueue();
    queue.add(change("making"));
    queue.add(change("other"));
    queue.take();
    queue.add(change("waiting"));
    const idOfKey = (key: string): string => `0:${key}`;
    queue.endOthers(idOfKey("making"), []);
    queue.endOthers(idOfKey("waiting"), []);
    expect(queue.find(idOfKey("making"))?.entry).toBeNull();
    expect(queue.find(idOfKey("other"))?.entry).not.toBeNull();
    queue.made();
    const next = queue.take();
    expect(next.map(({ kind }) => kind)).toEqual(["delete", "delete"]);
    queue.failed();
    queue.endOthers(undefined, ["*"]);
    expect(queue.take().map(({ kind }) => kind)).toEqual(["delete", "delete"]);
  });

  test("puts a clear before all that came after it, and drops what came before", () => {
    const queue = new TierQueue();
    queue.add(change("old", { sequence: 5 }));
    queue.addVoid({ kind: "void", names: ["tt"], sequence: 6 });
    queue.addVoid({ kind: "void", names: ["*"], sequence: 7 });
    queue.add(change("new", { sequence: 8 }));
    expect(queue.take().map(({ kind }) => kind)).toEqual(["clear", "set"]);
    expect(queue.deletes(["*"])).toBe(true);
    queue.failed();
    expect(queue.take().map(({ kind }) => kind)).toEqual(["clear", "set"]);
    queue.made();
    expect(queue.deletes(["*"])).toBe(false);
  });

  test("a clear ends what a failed batch had", () => {
    const queue = new TierQueue();
    queue.add(change("a", { sequence: 5 }));
    queue.take();
    queue.addVoid({ kind: "void", names: ["*"], sequence: 7 });
    expect(queue.find(idOf(change("a")))?.entry).toBeNull();
    queue.failed();
    expect(queue.find(idOf(change("a")))?.entry).toBeNull();
  });
});

test("recent changes are remembered until they are forgotten twice", () => {
  const recent = new RecentChanges();
  recent.note("a", 7);
  recent.noteVoid(["t"], 4);
  for (let turn = 0; turn < 2; turn++) {
    expect([recent.isOld("a", 6), recent.isOld("a", 8), recent.isOld("b", 1)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([recent.isVoid(["t"], 4), recent.isVoid(["t"], 5), recent.isVoid(["u"], 1)]).toEqual([
      true,
      false,
      false,
    ]);
    recent.turn();
  }
  expect([recent.isOld("a", 6), recent.isVoid(["t"], 4), recent.isEmpty]).toEqual([
    false,
    false,
    true,
  ]);
});
