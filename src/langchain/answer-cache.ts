// The cache of LangChain's models: answers by prompt and model. The host's own module is the
// caller's to pass, since its base class and its functions for messages must be those that the
// caller's models use. Called by LangChain. Invariant: each look-up makes new messages, because
// LangChain changes what it is given (`usage_metadata`, `generationInfo`).
import { assertSpace, digest, Refusals, type Space } from "../adapters/mod.js";
import { describe, UndercroftError } from "../base/mod.js";
import { type Duration, optionsOf } from "../config/mod.js";

/**
 * What `answerCache` takes of `@langchain/core/caches`: the module as it is imported. `Cache` is
 * its InMemoryCache.
 *
 * @example
 * ```ts
 * import type { LangChainCaches } from "undercroft/langchain";
 *
 * class InMemoryCache {
 *   static global(): InMemoryCache {
 *     return new InMemoryCache();
 *   }
 * }
 * const same = ({ text }: { text: string }): { text: string } => ({ text });
 * const caches: LangChainCaches<InMemoryCache> = {
 *   InMemoryCache,
 *   serializeGeneration: same,
 *   deserializeStoredGeneration: same,
 * };
 * console.log(caches.InMemoryCache.name); // InMemoryCache
 * ```
 */
export interface LangChainCaches<Cache extends object> {
  /** The class of what `answerCache` makes; it stores nothing itself then. */
  readonly InMemoryCache: { readonly name: string; new (): object; global(): Cache };
  /** A generation as plain data, without its `generationInfo`. */
  serializeGeneration(generation: { readonly text: string }): object;
  deserializeStoredGeneration(stored: never): object;
}

/**
 * The options of `answerCache`. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import type { AnswerCacheOptions } from "undercroft/langchain";
 *
 * const options: AnswerCacheOptions = { ttl: "7d", tags: ["model:gpt-5"] };
 * console.log(options.ttl); // 7d
 * ```
 */
export interface AnswerCacheOptions {
  /** Time to live of answers, more than 0. Default: the cache's. */
  readonly ttl?: Duration;
  /** Tags of all answers, for `deleteByTag`. Default: those of the namespace, if any. */
  readonly tags?: readonly string[];
}

/** What LangChain's generations have beside text and message. */
interface Generation {
  readonly text: string;
  readonly generationInfo?: object;
}

/** An answer's generations in the cache. */
interface StoredGeneration {
  readonly generation: object;
  readonly info: object | undefined;
}

type Encoder = (prompt: string, llmKey: string) => string;

/**
 * The option `cache` of LangChain's models, over a cache or a namespace, which stays yours. Give it
 * one of its own.
 *
 * `caches` is the module `@langchain/core/caches`; what is returned is one of its caches. The key
 * is the SHA-256 of prompt and model, or of what `makeDefaultKeyEncoder` makes of them. An answer
 * that is no data is not stored, and a warning of the process tells it once.
 *
 * @throws TypeError if `space` is no cache or `caches` not the module.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 * import { answerCache } from "undercroft/langchain";
 *
 * // import * as caches from "@langchain/core/caches"; it has this and more:
 * type Answers = { text: string }[];
 * class InMemoryCache {
 *   static global = (): InMemoryCache => new InMemoryCache();
 *   lookup = async (_prompt: string, _model: string): Promise<Answers | null> => null;
 *   update = async (_prompt: string, _model: string, _value: Answers): Promise<void> => {};
 * }
 * const same = ({ text }: { text: string }): { text: string } => ({ text });
 * const caches = { InMemoryCache, serializeGeneration: same, deserializeStoredGeneration: same };
 *
 * const cache = await openCache();
 * const answers = answerCache(cache.namespace("llm"), caches);
 * // new ChatOpenAI({ cache: answers })
 * console.log(answers instanceof InMemoryCache); // true
 * await cache.close();
 * ```
 */
export function answerCache<Cache extends object>(
  space: Space,
  caches: LangChainCaches<Cache>,
  options: AnswerCacheOptions = {},
): Cache {
  assertSpace("a cache for LangChain", space);
  assertCaches(caches);
  optionsOf("", options, ["ttl", "tags"]);
  const answers = new Answers(space, caches, options);
  return new (classOver(caches.InMemoryCache, answers))() as unknown as Cache;
}

/** A class of the host's, which takes its caches for what they extend. */
function classOver(Base: new () => object, answers: Answers): new () => object {
  return class AnswerCache extends Base {
    #encoder: Encoder | undefined;

    makeDefaultKeyEncoder(encoder: Encoder): void {
      this.#encoder = encoder;
    }

    lookup(prompt: string, llmKey: string): Promise<object[] | null> {
      return answers.lookup(this.#keyOf(prompt, llmKey));
    }

    async update(prompt: string, llmKey: string, value: readonly Generation[]): Promise<void> {
      answers.update(this.#keyOf(prompt, llmKey), value);
    }

    #keyOf(prompt: string, llmKey: string): string {
      return digest(this.#encoder?.(prompt, llmKey) ?? [prompt, llmKey]);
    }
  };
}

class Answers {
  readonly #space: Space;
  readonly #caches: LangChainCaches<object>;
  readonly #options: AnswerCacheOptions;
  readonly #refusals = new Refusals("undercroft/langchain");

  constructor(space: Space, caches: LangChainCaches<object>, options: AnswerCacheOptions) {
    this.#space = space;
    this.#caches = caches;
    this.#options = { ...options };
  }

  async lookup(key: string): Promise<object[] | null> {
    const found = (await this.#space.get(key)) as readonly StoredGeneration[] | undefined;
    if (found === undefined) return null;
    // A copy: messages keep the objects that they are made of.
    return structuredClone(found).map(({ generation, info }) => {
      const restored = this.#caches.deserializeStoredGeneration(generation as never);
      return info === undefined ? restored : { ...restored, generationInfo: info };
    });
  }

  update(key: string, generations: readonly Generation[]): void {
    const stored = this.#storable(generations);
    if (stored === undefined) return;
    try {
      this.#space.set(key, stored, this.#options);
    } catch (error) {
      if (error instanceof UndercroftError) throw error;
      this.#refusals.tell("the cache refused it", error);
    }
  }

  #storable(generations: readonly Generation[]): readonly StoredGeneration[] | undefined {
    try {
      return structuredClone(
        generations.map((each) => ({
          generation: this.#caches.serializeGeneration(each),
          info: each.generationInfo,
        })),
      );
    } catch (error) {
      this.#refusals.tell("it is no plain data", error);
      return undefined;
    }
  }
}

function assertCaches(caches: unknown): void {
  const members = (typeof caches === "object" && caches !== null ? caches : {}) as Partial<
    Record<keyof LangChainCaches<object>, unknown>
  >;
  const { InMemoryCache, serializeGeneration, deserializeStoredGeneration } = members;
  const all = [InMemoryCache, serializeGeneration, deserializeStoredGeneration];
  if (all.every((member) => typeof member === "function")) return;
  throw new TypeError(
    `Cannot make a cache for LangChain: the module is ${describe(caches)}; it must be what ` +
      'import * as caches from "@langchain/core/caches" gives',
  );
}
