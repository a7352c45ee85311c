// What every tier must do, as checks that any test runner can run. Each check has a store of its
// own and throws what is wrong.
import { optionsOf } from "../config/mod.js";
import type { Tier } from "../outer-tiers/mod.js";
import { describe } from "../base/mod.js";
import { changeChecks } from "./change-checks.js";
import { entryChecks } from "./entry-checks.js";
import { leaseChecks } from "./lease-checks.js";
import { sharingChecks } from "./sharing-checks.js";

/**
 * One check of `tierSuite`.
 *
 * @example
 * ```ts
 * import type { TierCheck } from "undercroft/tier-suite";
 *
 * const checks: TierCheck[] = [];
 * for (const { name, run } of checks) await run().catch(() => console.error(name));
 * ```
 */
export interface TierCheck {
  /** What the tier does. */
  readonly name: string;
  /** Rejects with an AssertionError if it does not. */
  readonly run: () => Promise<void>;
}

/**
 * Which checks `tierSuite` gives. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import type { TierSuiteOptions } from "undercroft/tier-suite";
 *
 * const options: TierSuiteOptions = { subscribe: false, lease: false };
 * console.log(options.lease); // false
 * ```
 */
export interface TierSuiteOptions {
  /** Whether the tier has `subscribe`. Default true. */
  readonly subscribe?: boolean;
  /** Whether the tier has `lease` and `release`. Default true. */
  readonly lease?: boolean;
}

/** Opens a tier over a store: a name that was given before is the same store, as another machine
 *  has it; a new one is an empty store. */
export type OpenTier = (store: string) => Tier | Promise<Tier>;

let stores = 0;

/**
 * The checks that every tier passes, for any test runner: they are named, and throw.
 *
 * `open` opens a tier over a store. The same name is the same store, as another machine has it; a
 * new one is an empty store. The checks close what they open.
 *
 * @throws TypeError if `open` is not a function.
 *
 * @example
 * ```ts
 * import { type MemoryStore, memoryStore, memoryTier, tierSuite } from "undercroft/tier-suite";
 *
 * const stores = new Map<string, MemoryStore>();
 * const open = (name: string) => {
 *   const store = stores.get(name) ?? memoryStore();
 *   stores.set(name, store);
 *   return memoryTier(store);
 * };
 * for (const { run } of tierSuite(open)) await run(); // or test(name, run), of any runner
 * ```
 */
export function* tierSuite(
  open: (store: string) => Tier | Promise<Tier>,
  options: TierSuiteOptions = {},
): Generator<TierCheck, void, undefined> {
  if (typeof open !== "function") {
    throw new TypeError(
      `Cannot check a tier: what opens it is ${describe(open)}; it must be a function`,
    );
  }
  const { subscribe = true, lease = true } = optionsOf("", options, ["subscribe", "lease"]);
  const groups = [
    entryChecks,
    changeChecks,
    ...(subscribe === true ? [sharingChecks] : []),
    ...(lease === true ? [leaseChecks] : []),
  ];
  for (const [name, check] of groups.flatMap((group) => Object.entries(group))) {
    yield {
      name,
      run: async () => {
        const opened: Tier[] = [];
        const store = `check-${process.pid}-${++stores}`;
        try {
          await check(async () => {
            const tier = await open(store);
            opened.push(tier);
            return tier;
          });
        } finally {
          for (const tier of opened) await tier.close?.();
        }
      },
    };
  }
}
