// One call of a language model as its key sees it. Called by the middleware.
import { digest } from "../adapters/mod.js";

/**
 * A call of a language model, as it is made a key: calls that are equal have one answer.
 *
 * @example
 * ```ts
 * import type { ModelCall } from "undercroft/ai";
 *
 * const isRepeatable = ({ params }: ModelCall): boolean => params["temperature"] === 0;
 * const call = { provider: "openai.chat", modelId: "gpt-5", params: { temperature: 0 } };
 * console.log(isRepeatable({ type: "generate", ...call })); // true
 * ```
 */
export interface ModelCall {
  /** A stream and a whole answer are two entries. */
  readonly type: "generate" | "stream";
  readonly provider: string;
  readonly modelId: string;
  /** What the model is given: prompt, settings, tools, `providerOptions`, headers; without
   *  `abortSignal` and the header `user-agent`, which names the version of the SDK. */
  readonly params: Readonly<Record<string, unknown>>;
}

/** The part of a model that a call is told of. */
export interface NamedModel {
  readonly provider: string;
  readonly modelId: string;
}

export function modelCallOf(
  type: ModelCall["type"],
  { provider, modelId }: NamedModel,
  given: object,
): ModelCall {
  const { abortSignal: _, headers, ...params } = given as Readonly<Record<string, unknown>>;
  if (typeof headers !== "object" || headers === null) {
    return { type, provider, modelId, params };
  }
  const told = Object.entries(headers).filter(([name]) => name.toLowerCase() !== "user-agent");
  const own = told.length === 0 ? {} : { headers: Object.fromEntries(told) };
  return { type, provider, modelId, params: { ...params, ...own } };
}

/** The key of what is to name a call; of whole answers and streams apart. */
export function keyOf(type: ModelCall["type"], named: unknown): string {
  return `${type}:${digest(named)}`;
}
