// Reads and checks the command line of `undercroft top`. Called by that command.
import type { ParseArgsConfig } from "node:util";
import { hotKeysMax } from "../../operators/mod.js";
import { parsedOptions, wholeNumber } from "../parsed-options.js";

export interface TopOptions {
  /** A directory or a name; undefined: the only cache that is found. */
  readonly target: string | undefined;
  readonly pid: number | undefined;
  readonly once: boolean;
  readonly json: boolean;
  /** How many of the hottest keys, and whether by name. */
  readonly keys: number;
  readonly names: boolean;
  readonly help: boolean;
}

const known = {
  once: { type: "boolean" },
  json: { type: "boolean" },
  keys: { type: "string" },
  names: { type: "boolean" },
  pid: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const satisfies ParseArgsConfig["options"];

/** Throws RangeError that names what is wrong, and what is allowed. */
export function topOptions(words: readonly string[]): TopOptions {
  const { values, positionals } = parsedOptions("show", known, words);
  if (positionals.length > 1) {
    throw new RangeError(
      `Cannot show ${positionals.length} caches: name one, by its directory or its name`,
    );
  }
  const { once, json, keys, names, pid, help } = values;
  return {
    target: positionals[0],
    pid: pid === undefined ? undefined : wholeNumber("show", "pid", pid, 2 ** 31 - 1),
    once: once === true,
    json: json === true,
    keys: keys === undefined ? 10 : wholeNumber("show", "keys", keys, hotKeysMax),
    names: names === true,
    help: help === true,
  };
}
