// What an adapter could not store, told where the host has no channel for it. An answer that the
// host has paid for is passed on in any case; so each kind of refusal is a warning of the process,
// once for each adapter. What the cache refuses (`SetOutcome`) its statistics count.
import { describe } from "../base/mod.js";

export class Refusals {
  readonly #adapter: string;
  readonly #told = new Set<string>();

  constructor(adapter: string) {
    this.#adapter = adapter;
  }

  /** Tells that an answer is not stored, and why, unless that was told before. */
  tell(kind: string, reason: unknown): void {
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    const detail = reason instanceof Error ? (reason.stack ?? reason.message) : describe(reason);
    process.emitWarning(`${this.#adapter} passed on an answer that it did not store: ${kind}`, {
      type: "UndercroftAdapterWarning",
      code: "UNDERCROFT_ADAPTER",
      detail,
    });
  }
}
