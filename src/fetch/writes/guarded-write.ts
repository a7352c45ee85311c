// Guarded writes: the user's function writes to the source, and from its begin to its end the key
// has no entry and no load of it is stored, over all threads. Called by ReadThrough. Invariants:
// the key is dead, on disk too, before the function runs. When it ends, either its answer is
// published, under the guard's flight, or the key is removed once more; both supersede every load
// that has begun. The answer is published only if nothing else wrote the key meanwhile, another
// guarded write least of all, since nobody can say which of two came last to the source: then the
// key stays dead. A thread that dies leaves a dead key, and its recovery ends the guard.
import { describe, UndercroftError } from "../../base/mod.js";
import type { ResolvedSetOptions } from "../../config/mod.js";
import type { HashedKey } from "../../kernel/mod.js";
import type { FetchParts } from "../fetch-parts.js";
import type { Entrance } from "../queue/entrance.js";

export class GuardedWrites<V> {
  readonly #parts: FetchParts<V>;
  readonly #entrance: Entrance<V>;

  constructor(parts: FetchParts<V>, entrance: Entrance<V>) {
    this.#parts = parts;
    this.#entrance = entrance;
  }

  /** Runs `write` under a guard; resolves to its answer, as a later hit returns it. */
  async run<R>(
    key: HashedKey,
    write: () => R | PromiseLike<R>,
    options: ResolvedSetOptions,
  ): Promise<R> {
    // A key that is too long to be stored needs no guard.
    if (!key.isHashed) return write();
    const guard = await this.#begin(key);
    let answer: R;
    try {
      await this.#parts.settle();
      answer = await write();
    } catch (error) {
      this.#end(guard, key);
      throw error;
    }
    const shown = this.#store(guard, key, answer, options);
    await this.#parts.settle();
    return shown;
  }

  async #begin(key: HashedKey): Promise<number> {
    let guard = -1;
    const begun = await this.#entrance.begin(key, () => {
      guard = this.#parts.flights.guard(key);
      return guard !== -1;
    });
    if (begun) return guard;
    throw new UndercroftError(
      "ERR_OVERLOADED",
      `Cannot write key ${describe(key.toKey())}: too many loads are under way to guard it; ` +
        "the function was not called, and nothing has changed",
    );
  }

  /** Publishes what was written, or removes the key. The source has the value whatever comes here:
   *  a cache that was closed meanwhile does not make it an error. */
  #store<R>(guard: number, key: HashedKey, answer: R, options: ResolvedSetOptions): R {
    let isStored = false;
    try {
      if (answer === undefined || this.#parts.flights.isClosed) return answer;
      const filled = this.#parts.writer.fill(key, answer, options, guard);
      isStored = filled.outcome === "stored";
      return filled.value as unknown as R;
    } finally {
      if (isStored) this.#parts.flights.end(guard, { kind: "again" });
      else this.#end(guard, key);
    }
  }

  /** The key first: a load that begins after the guard must find nothing older. */
  #end(guard: number, key: HashedKey): void {
    const { flights, writer } = this.#parts;
    if (!flights.isClosed) writer.remove(key);
    flights.end(guard, { kind: "again" });
  }
}
