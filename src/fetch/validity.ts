// `isValid` of one fetch: which values that fetch may get. Made by ReadThrough, asked wherever a
// waiter is about to get a value. Invariants: a value that was refused once is refused for the
// whole fetch, so a look again cannot bring it back; and a fetch refuses the answer of one load at
// most, since the next one began after the fetch did. So a fetch waits for two loads at most on
// account of `isValid`, whatever that says.
import { describe } from "../base/mod.js";
import type { IsValid, ResolvedFetchOptions } from "../config/mod.js";
import type { FoundValue } from "../entries/mod.js";
import type { Key } from "../kernel/mod.js";
import { counterInvalid } from "../stats/mod.js";
import type { FetchParts } from "./fetch-parts.js";

export class Validity<V> {
  readonly #isValid: IsValid<V>;
  readonly #key: Key;
  readonly #parts: Pick<FetchParts<V>, "meter" | "wallOf">;
  /** The sequence of the record that was refused last. */
  #refused: number | undefined;
  #hasRefusedLoad = false;
  /** Whether it has refused a value, so that the request is a miss, whatever comes later. */
  hasRefused = false;

  /** Undefined without an `isValid`, and for a forced fetch, which gets only what is loaded for
   *  it. */
  static of<V>(
    key: Key,
    { isValid, forceRefresh }: ResolvedFetchOptions,
    parts: Pick<FetchParts<V>, "meter" | "wallOf">,
  ): Validity<V> | undefined {
    if (isValid === undefined || forceRefresh) return undefined;
    return new Validity(isValid as IsValid<V>, key, parts);
  }

  private constructor(
    isValid: IsValid<V>,
    key: Key,
    parts: Pick<FetchParts<V>, "meter" | "wallOf">,
  ) {
    this.#isValid = isValid;
    this.#key = key;
    this.#parts = parts;
  }

  /** Whether the fetch may get this value. `isLoaded`: it is what a load has brought that was under
   *  way. Throws what the user's function throws. */
  accepts(found: FoundValue<V>, isLoaded: boolean): boolean {
    const { value, sequence } = found;
    // That the source has no value is not asked about.
    if (value === undefined) return true;
    if (sequence === this.#refused) return false;
    if (isLoaded && this.#hasRefusedLoad) return true;
    if (this.#ask(value, found)) return true;
    if (sequence !== -1) this.#refused = sequence;
    if (isLoaded) this.#hasRefusedLoad = true;
    if (!this.hasRefused) this.#parts.meter.count(counterInvalid, 1);
    this.hasRefused = true;
    return false;
  }

  #ask(value: V, { createdAt, expiresAt, tags }: FoundValue<V>): boolean {
    const isValid = this.#isValid;
    const key = this.#key;
    const { wallOf } = this.#parts;
    const times = { createdAt: wallOf(createdAt), expiresAt: wallOf(expiresAt) };
    const answer: unknown = isValid(value, { key, ...times, tags });
    if (typeof answer === "boolean") return answer;
    // It may reject, and nobody waits for it.
    if (answer instanceof Promise) answer.catch(() => undefined);
    throw new TypeError(
      `Cannot check the value of key ${describe(key)}: isValid returned ${describe(answer)}; ` +
        "it must return true or false, and no promise",
    );
  }
}
