// The calls of a key space whose writes depend on what is there, or on what the source says:
// updates and guarded writes. The key space extends this class.
import { rejecting } from "../../base/mod.js";
import { BulkCalls } from "../../bulk/mod.js";
import {
  resolveWriteOptions,
  type SetOptions,
  type UpdateOptions,
  type WriteOptions,
} from "../../config/mod.js";
import type { Compute, EntryUpdater, UpdateOutcome } from "../../entries/mod.js";
import type { ReadThrough } from "../../fetch/mod.js";

export abstract class SourceWrites<V, K> extends BulkCalls<V, K> {
  protected abstract readonly readThrough: ReadThrough<V>;
  protected abstract readonly updater: EntryUpdater<V>;
  /** Options with the tags of the key, unless they have their own. */
  protected abstract tagged<Options extends Pick<SetOptions, "tags">>(
    key: K,
    options: Options | undefined,
  ): Options | Pick<SetOptions, "tags"> | undefined;

  /**
   * Replaces the value of a key by what `compute` makes of it, atomically over all threads: no
   * other write of the key comes between. `compute` gets an object of its own and must not wait; it
   * is called again if another write came first, so it should do nothing else. `undefined` deletes
   * the entry. What is left of its ttl, its tags and its revision stay, unless `options` say
   * otherwise. An entry on disk only is not seen: `updateAsync` reads it first.
   *
   * @example
   * ```ts
   * import { openCache } from "undercroft";
   *
   * const cache = await openCache<string[]>();
   * const add = (line: string) =>
   *   cache.update("log", (lines) => [...lines, line], { absent: [line] });
   * console.log(add("first"), add("second")); // stored stored
   * console.log(cache.getSync("log")?.join()); // first,second
   * await cache.close();
   * ```
   */
  update(key: K, compute: Compute<V>, options?: UpdateOptions<V>): UpdateOutcome {
    const name = this.keyOf(key);
    const outcome = this.updater.update(name, compute, options, this.#tagsOfNew(key));
    this.readThrough.forget(name);
    return outcome;
  }

  /** As `update`, for an entry that may be on disk or in a tier only. */
  async updateAsync(
    key: K,
    compute: Compute<V>,
    options?: UpdateOptions<V>,
  ): Promise<UpdateOutcome> {
    let name = this.keyOf(key);
    const tagsOfNew = this.#tagsOfNew(key);
    if (this.looks !== this.reader) {
      // A copy: the caller may change the bytes of a key meanwhile.
      name = this.reader.readKey(name).toKey();
      await this.looks.get(name);
    }
    const outcome = await this.updater.updateAsync(name, compute, options, tagsOfNew);
    this.readThrough.forget(name);
    return outcome;
  }

  /**
   * Writes to the source with `write`, and stores its answer, so that no thread ever finds an older
   * value than the source had when it asked. The entry is dead, on disk too, before `write` runs;
   * while it runs, fetches load from the source and nothing that they load is stored; its answer is
   * stored when it resolves, or nothing if that is undefined. Resolves to the answer.
   *
   * The key is left without an entry if `write` fails or the process dies, and if the key was
   * written by anyone else meanwhile: of two writes at once nobody knows which came last. Rejects
   * with the error of `write`; with ERR_OVERLOADED, before `write` is called, if so many loads are
   * under way that the write finds no room among them for 30 s.
   *
   * @example
   * ```ts
   * import { openCache } from "undercroft";
   *
   * const table = new Map([["user:7", { name: "Ada" }]]);
   * const cache = await openCache<{ name: string }>();
   * const renamed = await cache.write("user:7", async () => {
   *   table.set("user:7", { name: "Grace" });
   *   return { name: "Grace" };
   * });
   * console.log(renamed.name, cache.getSync("user:7")?.name); // Grace Grace
   * await cache.close();
   * ```
   */
  write<R extends V | undefined>(
    key: K,
    write: () => R | PromiseLike<R>,
    options?: WriteOptions<V>,
  ): Promise<R> {
    return rejecting(() => {
      this.core.assertOpen();
      const tagged = this.tagged(key, options);
      const resolved = resolveWriteOptions(tagged, this.core.defaults);
      return this.readThrough.write(this.keyOf(key), write, resolved);
    });
  }

  /** The tags of an entry that an update makes: asked for only if it makes one. */
  #tagsOfNew(key: K): () => readonly string[] | undefined {
    return () => this.tagged(key, undefined)?.tags;
  }
}
