// The middleware for language models of the AI SDK. Called by `wrapLanguageModel`. Invariants: what
// a model answered reaches the caller whether or not it can be stored; what a caller is given is
// its own, so it may change it; nothing of a call that failed or was aborted is stored.
import { assertSpace, Refusals, type Space } from "../adapters/mod.js";
import { type Duration, optionsOf, type SetOptions } from "../config/mod.js";
import { keyOf, type ModelCall, modelCallOf, type NamedModel } from "./model-call.js";
import { isFailure, isRecording, recorded, replayed, type StreamPart } from "./recorded-stream.js";
import { StoredRecording } from "./stored-recording.js";

/**
 * The options of `cacheMiddleware`. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import type { CacheMiddlewareOptions } from "undercroft/ai";
 *
 * const options: CacheMiddlewareOptions = {
 *   ttl: "1d",
 *   tags: ({ modelId }) => [`model:${modelId}`],
 *   key: (call) => (call.params["temperature"] === 0 ? call : undefined), // no others
 * };
 * console.log(options.ttl); // 1d
 * ```
 */
export interface CacheMiddlewareOptions {
  /** Time to live of answers, more than 0. Default: the cache's. */
  readonly ttl?: Duration;
  /** Tags of an answer, for `deleteByTag`. Default: those of the namespace, if any. */
  readonly tags?: readonly string[] | ((call: ModelCall) => readonly string[]);
  /**
   * What names a call, as plain data: calls for which it is equal share an answer. `undefined`: the
   * call is not cached. Default: the whole call.
   */
  readonly key?: (call: ModelCall) => unknown;
}

/**
 * A middleware as `wrapLanguageModel` takes it, of versions 5, 6 and 7 of the AI SDK.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 * import { cacheMiddleware, type CacheMiddleware } from "undercroft/ai";
 *
 * const cache = await openCache();
 * const middleware: CacheMiddleware = cacheMiddleware(cache.namespace("llm"));
 * console.log(typeof middleware.wrapGenerate, typeof middleware.wrapStream); // function function
 * await cache.close();
 * ```
 */
export interface CacheMiddleware {
  /** Typed so that it fits each version of the specification, which are alike here. */
  readonly specificationVersion: never;
  /** Answers from the cache, or calls the model: once for all who ask the same meanwhile. */
  readonly wrapGenerate: <Answer>(call: {
    readonly doGenerate: () => PromiseLike<Answer>;
    readonly params: object;
    readonly model: NamedModel & { doGenerate(params: never): PromiseLike<Answer> };
  }) => Promise<Answer>;
  /** Replays a stream from the cache, or passes the model's on and stores it at its end. */
  readonly wrapStream: <Answer extends { stream: ReadableStream }>(call: {
    readonly doStream: () => PromiseLike<Answer>;
    readonly params: object;
    readonly model: NamedModel;
  }) => Promise<Answer>;
}

/**
 * A middleware for `wrapLanguageModel` of the AI SDK: a call that was made before is answered from
 * a cache or a namespace, which stays yours. Give it one of its own.
 *
 * Identical calls of `doGenerate` at once are one call of the model, over all threads; it is
 * aborted when all who wait for it have been. Streams are passed on as they come, each from a call
 * of its own, and stored when they have ended: not after an error, not if the caller has stopped.
 * An answer with the finish reason "error" is not stored. What is deleted by key or tag while the
 * model answers is not stored either.
 *
 * @throws TypeError if `space` is no cache, or for an option of a wrong type; RangeError for an
 *   unknown option. A call whose parameters are no plain data rejects with TypeError.
 *
 * @example
 * ```ts
 * import { generateText, wrapLanguageModel } from "ai";
 * import { MockLanguageModelV3 } from "ai/test";
 * import { openCache } from "undercroft";
 * import { cacheMiddleware } from "undercroft/ai";
 *
 * const text = { type: "text" as const, text: "Paris" };
 * const usage = { inputTokens: { total: 9 }, outputTokens: { total: 1 } };
 * const answer = { content: [text], finishReason: { unified: "stop" }, usage, warnings: [] };
 * const inner = new MockLanguageModelV3({ doGenerate: answer as never }); // openai("gpt-5"), say
 *
 * const cache = await openCache({ ttl: "1d" });
 * const model = wrapLanguageModel({ model: inner, middleware: cacheMiddleware(cache) });
 * const prompt = "The capital of France?";
 * const first = await generateText({ model, prompt });
 * const second = await generateText({ model, prompt });
 * console.log(first.text, second.text, inner.doGenerateCalls.length); // Paris Paris 1
 * await cache.close();
 * ```
 */
export function cacheMiddleware(
  space: Space,
  options: CacheMiddlewareOptions = {},
): CacheMiddleware {
  assertSpace("a middleware for language models", space);
  optionsOf("", options, ["ttl", "tags", "key"]);
  const answers = new ModelAnswers(space, options);
  return {
    specificationVersion: "v3" as never,
    wrapGenerate: ({ doGenerate, params, model }) => answers.generate(doGenerate, params, model),
    wrapStream: ({ doStream, params, model }) => answers.stream(doStream, params, model),
  };
}

type GeneratingModel<Answer> = NamedModel & { doGenerate(params: never): PromiseLike<Answer> };

class ModelAnswers {
  readonly #space: Space;
  readonly #options: CacheMiddlewareOptions;
  readonly #refusals = new Refusals("undercroft/ai");

  constructor(space: Space, options: CacheMiddlewareOptions) {
    this.#space = space;
    this.#options = options;
  }

  async generate<Answer>(
    doGenerate: () => PromiseLike<Answer>,
    params: object,
    model: GeneratingModel<Answer>,
  ): Promise<Answer> {
    const call = modelCallOf("generate", model, params);
    const key = this.#keyOf(call);
    if (key === undefined) return doGenerate();
    const { abortSignal } = params as { readonly abortSignal?: AbortSignal };
    let own: { readonly answer: Answer } | undefined;
    try {
      // By the model and not by `doGenerate`, which the first caller alone could abort.
      const load = async ({ signal }: { readonly signal: AbortSignal }): Promise<unknown> => {
        const answer = await model.doGenerate({ ...params, abortSignal: signal } as never);
        own = { answer };
        return this.#storable(answer);
      };
      const options = { ...this.#optionsOf(call), negativeTtl: 0 };
      const signal = abortSignal === undefined ? {} : { signal: abortSignal };
      const found = await this.#space.fetch(key, load, { ...options, ...signal });
      if (found !== undefined) return structuredClone(found) as Answer;
    } catch (error) {
      if (own === undefined || abortSignal?.aborted === true) throw error;
      this.#refusals.tell("the cache refused it", error);
    }
    // Without an answer of its own it waited for one that could not be stored.
    return own === undefined ? doGenerate() : own.answer;
  }

  /** A copy of an answer for the cache; undefined if it is not to be stored. */
  #storable(answer: unknown): unknown {
    const { finishReason } = (answer ?? {}) as StreamPart;
    if (isFailure(finishReason)) return undefined;
    try {
      return structuredClone(answer);
    } catch (error) {
      this.#refusals.tell("it is no plain data", error);
      return undefined;
    }
  }

  async stream<Answer extends { stream: ReadableStream }>(
    doStream: () => PromiseLike<Answer>,
    params: object,
    model: NamedModel,
  ): Promise<Answer> {
    const call = modelCallOf("stream", model, params);
    const key = this.#keyOf(call);
    if (key === undefined) return doStream();
    const found = await this.#space.get(key);
    if (isRecording(found)) {
      return { ...structuredClone(found.beside), stream: replayed(found) } as Answer;
    }
    const storing = new StoredRecording(this.#space, key, this.#optionsOf(call), (kind, reason) =>
      this.#refusals.tell(kind, reason),
    );
    try {
      const { stream, ...beside } = await doStream();
      const { abortSignal } = params as { readonly abortSignal?: AbortSignal };
      const live = recorded(stream, beside, (end) =>
        storing.end(abortSignal?.aborted === true ? "" : end),
      );
      return { ...beside, stream: live } as Answer;
    } catch (error) {
      await storing.end("");
      throw error;
    }
  }

  #keyOf(call: ModelCall): string | undefined {
    const { key } = this.#options;
    const named = key === undefined ? call : key(call);
    return named === undefined ? undefined : keyOf(call.type, named);
  }

  #optionsOf(call: ModelCall): Pick<SetOptions, "ttl" | "tags"> {
    const { ttl, tags } = this.#options;
    const own = typeof tags === "function" ? tags(call) : tags;
    return { ...(ttl === undefined ? {} : { ttl }), ...(own === undefined ? {} : { tags: own }) };
  }
}
