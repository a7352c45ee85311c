// The arithmetic of the log policy, one rule at a time.

import { expect, test } from "vitest";

import {
  evict,
  LogPolicy,
  type LogSituation,
  policyStateBytes,
  type Setting,
  settingOf,
} from "../../dist/src/policy/mod.js";

const capacity = 1000;

function situation(changes: Partial<LogSituation> = {}): LogSituation {
  return { small: 50, main: 50, oldestSmall: 1, oldestMain: 2, newest: 9, ...changes };
}

function policyWith(setting: Setting): LogPolicy {
  return LogPolicy.alone(setting, capacity, 1000);
}

test("s3-fifo empties the small log while it is above its share", () => {
  const policy = policyWith(settingOf("s3-fifo"));
  expect(policy.victim(situation({ small: 11, main: 89 }))).toBe("small");
  expect(policy.victim(situation({ small: 10, main: 90 }))).toBe("main");
});

test("lru and fifo empty the oldest segment of both logs", () => {
  for (const name of ["lru", "fifo"] as const) {
    const policy = policyWith(settingOf(name));
    expect(policy.victim(situation({ oldestSmall: 3, oldestMain: 4 }))).toBe("small");
    expect(policy.victim(situation({ oldestSmall: 5, oldestMain: 4 }))).toBe("main");
  }
});

test("sieve's hand goes over the small log, then starts again with what main holds", () => {
  const policy = policyWith(settingOf("sieve"));
  expect(policy.victim(situation({ oldestSmall: 5, oldestMain: 2 }))).toBe("small");
  expect(policy.victim(situation({ oldestSmall: Infinity, oldestMain: 2, newest: 9 }))).toBe(
    "main",
  );
  expect(policy.victim(situation({ oldestSmall: 10, oldestMain: 9 }))).toBe("main");
  expect(policy.victim(situation({ oldestSmall: 10, oldestMain: 11 }))).toBe("small");
});

test("an empty cache has no victim, and computes no NaN", () => {
  const policy = policyWith(settingOf("s3-fifo"));
  expect(policy.victim(situation({ small: 0, main: 0 }))).toBe("main");
  expect(policy.decide("small", 7, 1, 0)).toBe(evict);
});

test("s3-fifo: a hit moves an entry to main, and each hit there keeps it for a round", () => {
  const policy = policyWith(settingOf("s3-fifo"));
  expect(policy.decide("small", 7, 1, 0)).toBe(evict);
  expect(policy.decide("small", 8, 1, 1)).toBe(0);
  expect([0, 1, 2, 3].map((hits) => policy.decide("main", 8, 1, hits))).toEqual([evict, 0, 1, 2]);
});

test("s3-fifo: a key that comes back within a turnover is promoted, later it is not", () => {
  const policy = policyWith(settingOf("s3-fifo"));
  policy.victim(situation({ small: 10, main: 90 }));
  expect(policy.decide("small", 7, 1, 0)).toBe(evict);
  expect(policy.decide("small", 7, 1, 0)).toBe(0);
  expect(policy.decide("small", 9, 1, 0)).toBe(evict);
  // 1.3 turnovers of other keys leave: one for the ghosts, a tenth for the small log, and a rest.
  expect(policy.decide("small", 10, 1300, 0)).toBe(evict);
  expect(policy.decide("small", 9, 1, 0)).toBe(evict);
});

test("s3-fifo: an entry that was promoted or left main is no ghost", () => {
  const policy = policyWith(settingOf("s3-fifo"));
  expect(policy.decide("small", 7, 1, 1)).toBe(0);
  expect(policy.decide("main", 7, 1, 0)).toBe(evict);
  expect(policy.decide("small", 7, 1, 0)).toBe(evict);
});

test("fifo keeps nothing, whatever its hits", () => {
  const policy = policyWith(settingOf("fifo"));
  expect([0, 3].map((hits) => policy.decide("small", 7, 1, hits))).toEqual([evict, evict]);
});

test("lfu: the threshold rises until main evicts, and new entries must exceed it", () => {
  const policy = policyWith({ ...settingOf("lfu"), sizePower: 0 });
  expect(policy.decide("small", 100, 1, 1)).toBe(0);
  // Main's entries are requested again and again, and one of them never.
  let isEvicted = false;
  for (let round = 0; round < 200 && !isEvicted; round++) {
    for (let key = 0; key < 10; key++) policy.decide("main", key, 10, 3);
    isEvicted = policy.decide("main", 99, 10, 0) === evict;
  }
  expect(isEvicted).toBe(true);
  expect(policy.decide("small", 101, 1, 0)).toBe(evict);
});

test("lfu: of two entries used as often, the smaller exceeds the threshold first", () => {
  const admitted = { small: 0, large: 0 };
  for (let seed = 0; seed < 50; seed++) {
    const policy = policyWith({ ...settingOf("lfu"), sizePower: 1 });
    for (let key = 0; key < 200; key++) policy.decide("main", key + seed * 1000, 10, 1);
    if (policy.decide("small", 5_000_000, 1, 0) !== evict) admitted.small += 1;
    if (policy.decide("small", 6_000_000, 100, 0) !== evict) admitted.large += 1;
  }
  expect(admitted.small).toBeGreaterThan(admitted.large);
});

test("two policies over one buffer share the setting and the history", () => {
  const bytes = policyStateBytes(1000);
  const room = { capacity, buffer: new SharedArrayBuffer(bytes + 64), offset: 64, bytes };
  const [one, other] = [new LogPolicy(room), new LogPolicy(room)];
  one.adopt(settingOf("s3-fifo"));
  expect(one.decide("small", 7, 1, 0)).toBe(evict);
  expect(other.decide("small", 7, 1, 0)).toBe(0);
  one.adopt(settingOf("fifo"));
  expect(other.decide("small", 8, 1, 3)).toBe(evict);
});

test("any bit pattern in the state is a valid state", () => {
  const bytes = policyStateBytes(100);
  const buffer = new ArrayBuffer(bytes);
  new Uint8Array(buffer).fill(0xff, 128);
  const policy = new LogPolicy({ capacity, buffer, offset: 0, bytes });
  policy.adopt(settingOf("lfu"));
  for (let key = 0; key < 1000; key++) {
    const answer = policy.decide("small", Math.imul(key, 0x9e3779b1) >>> 0, 1, key & 3);
    expect([evict, 0]).toContain(answer);
  }
});

test("what counts as a key that left a moment ago follows the size of the cache", () => {
  const setting = settingOf("s3-fifo");
  /** The answer for a key that comes back after 5 capacities of others have left. */
  const returned = (policy: LogPolicy): number => {
    const hashOf = (n: number): number => Math.imul(n, 0x9e3779b1) >>> 0;
    policy.victim(situation({ small: 20, main: 80 }));
    expect(policy.decide("small", hashOf(1), 5, 0)).toBe(evict);
    for (let n = 2; n < 1002; n++) policy.decide("small", hashOf(n), 5, 0);
    return policy.decide("small", hashOf(1), 5, 0);
  };
  const larger = LogPolicy.alone(setting, capacity * 50, 2000);
  const resized = LogPolicy.alone(setting, capacity * 50, 2000);
  resized.resize(capacity);
  expect(returned(larger)).toBe(0);
  expect(returned(resized)).toBe(evict);
});
