// Reads and checks the command line of `undercroft dashboard`. Called by that command.
import type { ParseArgsConfig } from "node:util";
import { parsedOptions, wholeNumber } from "../parsed-options.js";

export interface DashboardOptions {
  /** A directory or a name; undefined: the only cache that is found. */
  readonly target: string | undefined;
  readonly pid: number | undefined;
  /** 0: a free one. */
  readonly port: number;
  readonly names: boolean;
  readonly write: boolean;
  readonly help: boolean;
}

const known = {
  port: { type: "string" },
  names: { type: "boolean" },
  write: { type: "boolean" },
  pid: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const satisfies ParseArgsConfig["options"];

/** Throws RangeError that names what is wrong, and what is allowed. */
export function dashboardOptions(words: readonly string[]): DashboardOptions {
  const { values, positionals } = parsedOptions("serve", known, words);
  if (positionals.length > 1) {
    throw new RangeError(
      `Cannot serve ${positionals.length} caches: name one, by its directory or its name`,
    );
  }
  const { port, names, write, pid, help } = values;
  return {
    target: positionals[0],
    pid: pid === undefined ? undefined : wholeNumber("serve", "pid", pid, 2 ** 31 - 1),
    port: port === undefined ? 0 : wholeNumber("serve", "port", port, 65_535),
    names: names === true,
    write: write === true,
    help: help === true,
  };
}
