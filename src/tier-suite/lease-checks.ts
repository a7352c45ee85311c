// The checks of a tier that gives leases.
import assert from "node:assert/strict";
import type { Tier, TierTurn } from "../outer-tiers/mod.js";
import { bytes, type Checks, entry, listen, now, set } from "./checked.js";

const key = { namespace: "n", key: bytes("a") };

async function lease(tier: Tier, token: string): Promise<TierTurn> {
  assert.ok(tier.lease !== undefined, "the tier has no lease()");
  return tier.lease(key, token, now);
}

async function release(tier: Tier, token: string): Promise<void> {
  assert.ok(tier.release !== undefined, "the tier has no release()");
  await tier.release(key, token);
}

export const leaseChecks: Checks = {
  "gives the lease of a key to one of two": async (open) => {
    const [one, two] = [await open(), await open()];
    await listen(one);
    await listen(two);
    const turns = await Promise.all([lease(one, "1"), lease(two, "2")]);
    assert.equal(turns.filter(({ isGiven }) => isGiven).length, 1);
    const other = turns.find(({ isGiven }) => !isGiven);
    assert.ok((other?.waitMs ?? 0) > 0, `the other one may wait ${other?.waitMs} ms`);
    assert.equal(other?.entry, undefined);
  },

  "releases a lease for who has it, and tells the others": async (open) => {
    const [one, two] = [await open(), await open()];
    await listen(one);
    const { told } = await listen(two);
    assert.equal((await lease(one, "1")).isGiven, true);
    await release(two, "2");
    assert.equal((await lease(two, "2")).isGiven, false);
    await release(one, "1");
    await told.until("freed a");
    assert.equal((await lease(two, "2")).isGiven, true);
  },

  "gives no lease of an entry that has not expired, but the entry": async (open) => {
    const tier = await open();
    await listen(tier);
    await tier.apply([set("a", "1", "n")], now);
    const turn = await lease(tier, "1");
    assert.equal(Buffer.from(turn.entry?.value ?? []).toString(), "1");
    assert.deepEqual([turn.isGiven, turn.waitMs], [false, 0]);
  },

  "gives the lease of an expired entry, and the entry to both": async (open) => {
    const [one, two] = [await open(), await open()];
    await listen(one);
    await listen(two);
    const old = entry("old", { expiresAt: now - 1 });
    await one.apply([set("a", old, "n")], now);
    const first = await lease(one, "1");
    const second = await lease(two, "2");
    assert.deepEqual([first.isGiven, second.isGiven], [true, false]);
    assert.equal(Buffer.from(first.entry?.value ?? []).toString(), "old");
    assert.equal(Buffer.from(second.entry?.value ?? []).toString(), "old");
  },
};
