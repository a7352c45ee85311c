// A tier whose calls fail or wait when a test says so. Invariant: a call that fails has made
// nothing, unless the fault is "after".
import type { Tier, TierListener } from "../outer-tiers/mod.js";

/**
 * What a faulty tier does. "before": the calls throw, and have made nothing. "after": they are made
 * and then throw, as when a connection ends before the answer. "never": they do not answer while
 * the fault lasts.
 *
 * @example
 * ```ts
 * import type { TierFault } from "undercroft/tier-suite";
 *
 * const fault: TierFault = "after";
 * console.log(fault); // after
 * ```
 */
export type TierFault = "none" | "before" | "after" | "never";

/**
 * A tier of `faultyTier`.
 *
 * @example
 * ```ts
 * import { type FaultyTier, faultyTier, memoryTier } from "undercroft/tier-suite";
 *
 * const tier: FaultyTier = faultyTier(memoryTier());
 * tier.fault = "before";
 * console.log(tier.fault); // before
 * ```
 */
export interface FaultyTier extends Required<Tier> {
  /** What its calls do from now on. */
  fault: TierFault;
  /** The tier loses touch with what others do, or has it again and says that all may have
   *  changed. */
  setTouch(isInTouch: boolean): void;
}

/**
 * A tier around another one, which fails as the test wants.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 * import { faultyTier, memoryTier } from "undercroft/tier-suite";
 *
 * const tier = faultyTier(memoryTier());
 * const cache = await openCache<string>({ tiers: [tier] });
 * tier.fault = "before";
 * console.log(await cache.fetch("a", () => "loaded")); // loaded
 * tier.fault = "none";
 * await cache.close();
 * ```
 */
export function faultyTier(tier: Tier, name: string = tier.name): FaultyTier {
  return new Faulty(tier, name);
}

class Faulty implements FaultyTier {
  readonly name: string;
  readonly #tier: Tier;
  #fault: TierFault = "none";
  #freed: (() => void)[] = [];
  #listener: TierListener | undefined;

  constructor(tier: Tier, name: string) {
    this.#tier = tier;
    this.name = name;
  }

  get fault(): TierFault {
    return this.#fault;
  }

  set fault(fault: TierFault) {
    this.#fault = fault;
    const freed = this.#freed;
    this.#freed = [];
    for (const free of freed) free();
  }

  setTouch(isInTouch: boolean): void {
    if (isInTouch) this.#listener?.ended({ kind: "clear", namespace: null });
    this.#listener?.touched(isInTouch ? null : new Error("the tier was cut off"));
  }

  async #call<T>(call: () => T | Promise<T>): Promise<T> {
    while (this.#fault === "never") await new Promise<void>((free) => this.#freed.push(free));
    const { fault } = this;
    if (fault === "before") throw new Error("the tier fails");
    const answer = await call();
    if (fault === "after") throw new Error("the tier fails after the call");
    return answer;
  }

  getMany(...call: Parameters<Tier["getMany"]>): ReturnType<Tier["getMany"]> {
    return this.#call(() => this.#tier.getMany(...call));
  }

  apply(...call: Parameters<Tier["apply"]>): Promise<void> {
    return this.#call(() => this.#tier.apply(...call));
  }

  health(): Promise<void> {
    return this.#call(() => this.#tier.health());
  }

  flush(...call: Parameters<NonNullable<Tier["flush"]>>): Promise<void> {
    return this.#call(() => this.#tier.flush?.(...call));
  }

  async close(): Promise<void> {
    await this.#tier.close?.();
  }

  subscribe(listener: TierListener): (() => void) | Promise<() => void> {
    this.#listener = listener;
    return this.#tier.subscribe?.(listener) ?? (() => undefined);
  }

  lease(...call: Parameters<NonNullable<Tier["lease"]>>): ReturnType<NonNullable<Tier["lease"]>> {
    return this.#call(
      () => this.#tier.lease?.(...call) ?? { entry: undefined, isGiven: false, waitMs: 0 },
    );
  }

  renew(...call: Parameters<NonNullable<Tier["renew"]>>): ReturnType<NonNullable<Tier["renew"]>> {
    const none = { entry: undefined, isGiven: false, waitMs: 0, mark: -1 };
    return this.#call(() => this.#tier.renew?.(...call) ?? none);
  }

  release(...call: Parameters<NonNullable<Tier["release"]>>): Promise<void> {
    return this.#call(() => this.#tier.release?.(...call));
  }
}
