// Reads and checks the command line of `undercroft record`. Called by that command.
import type { ParseArgsConfig } from "node:util";
import { parseDuration, parseSize } from "../../base/mod.js";
import { parsedOptions } from "../parsed-options.js";

export interface RecordOptions {
  /** A directory or a name; undefined: the only cache that is found. */
  readonly target: string | undefined;
  readonly pid: number | undefined;
  readonly out: string;
  readonly forMs: number;
  readonly mostBytes: number;
  /** The part of the keys whose requests are recorded. */
  readonly sample: number;
  readonly help: boolean;
}

const known = {
  out: { type: "string" },
  for: { type: "string" },
  most: { type: "string" },
  sample: { type: "string" },
  pid: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const satisfies ParseArgsConfig["options"];

/** Throws RangeError or TypeError that names what is wrong, and what is allowed. */
export function recordOptions(words: readonly string[]): RecordOptions {
  const { values, positionals } = parsedOptions("record", known, words);
  const help = values.help === true;
  if (positionals.length > 1) {
    throw new RangeError(
      `Cannot record ${positionals.length} caches: name one, by its directory or its name`,
    );
  }
  const { out } = values;
  if (!help && (out === undefined || out === "")) {
    throw new RangeError("Cannot record: no file was named; name the one to write by --out");
  }
  return {
    target: positionals[0],
    pid: values.pid === undefined ? undefined : pidOf(values.pid),
    out: out ?? "",
    forMs: parseDuration("--for", values.for ?? "10m"),
    mostBytes: parseSize("--most", values.most ?? "256mb"),
    sample: sampleOf(values.sample ?? "1"),
    help,
  };
}

function pidOf(text: string): number {
  const pid = Number(text);
  if (/^\d+$/.test(text) && pid < 2 ** 31) return pid;
  throw new RangeError(
    `Cannot record: --pid is "${text}"; it must be a whole number from 0 to ${2 ** 31 - 1}`,
  );
}

function sampleOf(text: string): number {
  const sample = Number(text);
  if (text.trim() !== "" && sample >= 0.0001 && sample <= 1) return sample;
  throw new RangeError(
    `Cannot record: --sample is "${text}"; allowed is a part of the keys from 0.0001 to 1`,
  );
}
