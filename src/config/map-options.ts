// The options of a shared map: what users may write, and what it means. Called once, when a map is made; below this door
// no option has a default and none is checked again.

import { codecNameOf, memoryBytesOf } from "./config.js";
import { assertOptions, oneOf, optionsOf, optionTypeError } from "./option-error.js";
import type { CustomCodec, Size } from "./options.js";

/** The options of a `SharedHashMap`. All may be left out; an unknown one is refused. */
export interface MapOptions<V = unknown> {
  /** The whole memory budget, index and metadata included: 1 MiB to 4 GiB - 64 KiB. Default "64mb". It never grows. */
  readonly memory?: Size;
  /** Whether instances of classes are refused ("throw", the default) or stored as plain objects ("plain"). */
  readonly classInstances?: "throw" | "plain";
  /** "msgpack" (default) keeps every type exactly, "json" is what JSON makes of the value; or one of your own. */
  readonly codec?: "msgpack" | "json" | CustomCodec<V>;
}

/** A checked configuration of a map: every value present, frozen, structured-cloneable. */
export interface MapConfig {
  readonly memoryBytes: number;
  readonly classInstances: "throw" | "plain";
  readonly codec: "msgpack" | "json" | "custom";
  /** "msgpack", "json", or the custom codec's own name. */
  readonly codecName: string;
}

/**
 * The frozen configuration that `options` mean.
 *
 * @throws TypeError or RangeError naming the option, the value given and what is allowed.
 */
export function resolveMapConfig(options: MapOptions<unknown>): MapConfig {
  assertOptions("", options, ["memory", "classInstances", "codec"]);
  return Object.freeze({
    memoryBytes: memoryBytesOf(options.memory),
    classInstances: oneOf("classInstances", options.classInstances, ["throw", "plain"], "throw"),
    codecName: codecNameOf(options.codec),
    codec: typeof options.codec === "object" ? "custom" : (options.codec ?? "msgpack"),
  });
}

/**
 * The codec that a thread has to bring to a map that was made with one of its maker's own, else undefined: functions
 * cannot be posted.
 *
 * @throws TypeError or RangeError if the options are none, or the codec is missing, not wanted or of another name.
 */
export function resolveMapCodec(
  options: unknown,
  config: MapConfig,
): CustomCodec<unknown> | undefined {
  const { codec } = optionsOf("", options, ["codec"]);
  if (config.codec !== "custom") {
    if (codec === undefined || codec === config.codec) return undefined;
    throw optionTypeError("codec", codec, `left out, as the map has the codec "${config.codec}"`);
  }
  const given = codec as Partial<CustomCodec<unknown>> | null | undefined;
  const isWhole = typeof given?.encode === "function" && typeof given.decode === "function";
  if (isWhole && given.name === config.codecName) return given as CustomCodec<unknown>;
  const allowed = `the codec named ${JSON.stringify(config.codecName)}, with encode() and decode()`;
  throw optionTypeError("codec", given?.name ?? codec, allowed);
}
