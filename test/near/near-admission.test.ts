// What is spent on keeping values near is bounded by what hits and misses pay.

import { describe, expect, test } from "vitest";
import { NearAdmission } from "../../dist/src/near/near-admission.js";

/** How many of `misses` are admitted, with so many hits before each. */
function admitted(
  admission: NearAdmission,
  misses: number,
  request: { hits: number; key: (miss: number) => number; hasRoom: boolean },
): number {
  let count = 0;
  for (let miss = 0; miss < misses; miss++) {
    const hash = Math.imul(request.key(miss) + 1, 0x9e3779b1);
    if (!admission.admits(request.hits, hash, request.hasRoom)) continue;
    admission.pay();
    count += 1;
  }
  return count;
}

const again = (): number => 7;
const anew = (miss: number): number => miss;

describe("admission", () => {
  test("keeps few where nothing hits, once the first savings are spent", () => {
    const admission = new NearAdmission();
    const first = admitted(admission, 100_000, { hits: 0, key: again, hasRoom: true });
    expect(first).toBeGreaterThan(10_000);
    expect(first).toBeLessThan(20_000);
    const later = admitted(admission, 100_000, { hits: 0, key: again, hasRoom: true });
    expect(later).toBeGreaterThan(1000);
    expect(later).toBeLessThan(2000);
  });

  test("keeps in proportion to hits", () => {
    const admission = new NearAdmission();
    admitted(admission, 100_000, { hits: 0, key: again, hasRoom: false });
    const kept = admitted(admission, 100_000, { hits: 4, key: again, hasRoom: false });
    expect(kept).toBeGreaterThan(45_000);
    expect(kept).toBeLessThan(55_000);
  });

  test("keeps no key that comes once in place of another", () => {
    const admission = new NearAdmission();
    expect(admitted(admission, 2000, { hits: 9, key: anew, hasRoom: false })).toBeLessThan(20);
    expect(admitted(admission, 2000, { hits: 9, key: anew, hasRoom: true })).toBeGreaterThan(1000);
  });

  test("drops one in four of many, so that V8 does not take all for long-lived", () => {
    const admission = new NearAdmission();
    expect(admitted(admission, 64, { hits: 9, key: anew, hasRoom: true })).toBe(64);
    expect(admitted(admission, 4000, { hits: 9, key: anew, hasRoom: true })).toBe(3000);
  });
});
