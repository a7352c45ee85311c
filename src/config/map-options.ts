// The options of a shared map, checked once when a map is made. Code below it checks no option
// again and has no defaults.

import { codecNameOf, memoryBytesOf } from "./config.js";
import { assertOptions, oneOf, optionsOf, optionTypeError } from "./option-error.js";
import type { CustomCodec } from "./options.js";
import type { Size } from "./quantities.js";

/**
 * The options of `SharedHashMap.create`. All are optional; an unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import { type MapOptions, SharedHashMap } from "undercroft/shared-map";
 *
 * const options: MapOptions<number> = { memory: "8mb", codec: "json" };
 * const map = SharedHashMap.create(options);
 * console.log(map.set("a", 1)); // stored
 * map.close();
 * ```
 */
export interface MapOptions<V = unknown> {
  /**
   * The whole memory budget, index and metadata included: 1 MiB to 4 GiB - 64 KiB. The map never
   * grows beyond it. Default "64mb".
   */
  readonly memory?: Size;
  /**
   * Class instances: "throw" (default) refuses them, "plain" stores their own properties as plain
   * objects. Built-ins that keep their state elsewhere (URL, Headers, Intl objects, streams) are
   * refused in both.
   */
  readonly classInstances?: "throw" | "plain";
  /**
   * "msgpack" (default) keeps every type, "json" keeps what `JSON.stringify` does, and an object is
   * a codec of your own.
   */
  readonly codec?: "msgpack" | "json" | CustomCodec<V>;
}

/** A checked configuration of a map: every value present, frozen, cloneable. */
export interface MapConfig {
  readonly memoryBytes: number;
  readonly classInstances: "throw" | "plain";
  readonly codec: "msgpack" | "json" | "custom";
  /** "msgpack", "json", or the custom codec's own name. */
  readonly codecName: string;
}

/**
 * Checks `options` and fills in the defaults.
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
 * The custom codec that an attaching thread must pass, because functions cannot be posted.
 * Undefined if the map has a built-in codec.
 *
 * @throws TypeError or RangeError if the options are wrong, or the codec is missing, not wanted or
 *   has another name.
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
