// Checks the option `tiers` of openCache.
import { describe } from "../../base/mod.js";
import type { Tier } from "../../outer-tiers/mod.js";

/** The most tiers of one cache. */
export const tiersMax = 4;
const nameLengthMax = 64;
const methods = ["getMany", "apply", "health"] as const;

/** The tiers of a checked option. Throws TypeError or RangeError that says what is allowed. */
export function tiersOf(given: unknown): readonly Tier[] {
  if (given === undefined) return [];
  const allowed =
    `an array of at most ${tiersMax} tiers, each with a name, getMany(), apply() and health(), ` +
    'such as sqliteTier() of "undercroft/sqlite" makes';
  if (!Array.isArray(given)) {
    throw new TypeError(
      `Cannot use option tiers: current value is ${describe(given)}; it must be ${allowed}`,
    );
  }
  if (given.length > tiersMax) {
    throw new RangeError(`Cannot use option tiers: it has ${given.length}; it must be ${allowed}`);
  }
  const names = new Set<string>();
  for (const [index, tier] of (given as readonly unknown[]).entries()) {
    const name = assertTier(`tiers[${index}]`, tier, allowed);
    if (names.has(name)) {
      throw new RangeError(
        `Cannot use option tiers: two have the name ${describe(name)}; each must have its own`,
      );
    }
    names.add(name);
  }
  return given as readonly Tier[];
}

/** The shared tiers of open caches. One that two caches used would take each one's changes for the
 *  other's own. */
const inUse = new WeakSet<Tier>();

/** Makes tiers those of one cache. Throws RangeError if one is another's. Answers what ends it. */
export function claimTiers(tiers: readonly Tier[]): () => void {
  const shared = tiers.filter((tier) => tier.subscribe !== undefined);
  const taken = shared.find((tier) => inUse.has(tier));
  if (taken !== undefined) {
    throw new RangeError(
      `Cannot use option tiers: tier ${describe(taken.name)} is another open cache's; ` +
        "make one for each cache",
    );
  }
  for (const tier of shared) inUse.add(tier);
  return () => {
    for (const tier of shared) inUse.delete(tier);
  };
}

function assertTier(option: string, tier: unknown, allowed: string): string {
  const members = (typeof tier === "object" && tier !== null ? tier : {}) as Record<
    string,
    unknown
  >;
  const missing = methods.find((method) => typeof members[method] !== "function");
  if (missing !== undefined) {
    throw new TypeError(
      `Cannot use option ${option}: current value is ${describe(tier)}, without ${missing}(); ` +
        `tiers must be ${allowed}`,
    );
  }
  const { name } = members;
  if (typeof name === "string" && name.length > 0 && name.length <= nameLengthMax) return name;
  throw new TypeError(
    `Cannot use option ${option}.name: current value is ${describe(name)}; ` +
      `it must be a string of 1 to ${nameLengthMax} characters`,
  );
}

/** Throws RangeError if a cache that shares its directory has tiers. */
export function assertUnshared(tiers: readonly Tier[]): void {
  if (tiers.length === 0) return;
  throw new RangeError(
    `Cannot use option tiers: it has ${tiers.length}; with disk.share "host" it must be left ` +
      "out, since only the process that has the directory could tell them",
  );
}
