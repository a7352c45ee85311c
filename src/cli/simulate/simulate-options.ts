// Reads and checks the command line of `undercroft simulate`. Called by that command.
import type { ParseArgsConfig } from "node:util";
import { parseDuration } from "../../base/mod.js";
import { type Worth, worths } from "../../policy/mod.js";
import { type Simulated, simulatedNames, type Target } from "../../simulation/mod.js";
import { parsedOptions } from "../parsed-options.js";

export interface SimulateOptions {
  readonly traces: readonly string[];
  readonly policies: readonly Simulated[];
  /** Fractions of the distinct objects, or of their bytes, ascending. */
  readonly sizes: readonly number[];
  /** The sizes were named, not the usual ones. */
  readonly hasOwnSizes: boolean;
  readonly unit: boolean;
  /** What a hit is worth to the policies that weigh it. */
  readonly worth: Worth;
  readonly json: boolean;
  /** The file that the plot is written to. */
  readonly svg: string | undefined;
  /** What to suggest a configuration for, if anything. */
  readonly target: Target | undefined;
  readonly help: boolean;
}

const defaultSizes: readonly number[] = [0.001, 0.01, 0.05, 0.1, 0.2];

/** Throws RangeError or TypeError that names the option, its value and what is allowed. */
export function simulateOptions(words: readonly string[]): SimulateOptions {
  const { values, positionals } = parsedOptions("simulate", known, words);
  const help = values.help === true;
  if (positionals.length === 0 && !help) {
    throw new RangeError("Cannot simulate: no trace was named; name at least one file");
  }
  return {
    traces: positionals,
    policies: policiesOf(values.policies),
    sizes: sizesOf(values.sizes),
    hasOwnSizes: values.sizes !== undefined,
    unit: values.unit === true,
    worth: worthOf(values.worth),
    json: values.json === true,
    svg: values.svg,
    target: targetOf(values["target-hits"], values["target-wait"]),
    help,
  };
}

const known = {
  policies: { type: "string" },
  sizes: { type: "string" },
  unit: { type: "boolean" },
  worth: { type: "string" },
  json: { type: "boolean" },
  svg: { type: "string" },
  "target-hits": { type: "string" },
  "target-wait": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const satisfies ParseArgsConfig["options"];

function policiesOf(text: string | undefined): readonly Simulated[] {
  if (text === undefined) return simulatedNames;
  const names = text.split(",").map((name) => name.trim());
  return [...new Set(names)].map((name) => {
    const found = simulatedNames.find((known) => known === name);
    if (found === undefined) {
      const allowed = simulatedNames.join(", ");
      throw new RangeError(`Cannot simulate: --policies has "${name}"; allowed are ${allowed}`);
    }
    return found;
  });
}

function sizesOf(text: string | undefined): readonly number[] {
  if (text === undefined) return defaultSizes;
  const sizes = text.split(",").map((word) => {
    const size = Number(word);
    if (word.trim() === "" || !(size > 0 && size <= 1)) {
      throw new RangeError(
        `Cannot simulate: --sizes has "${word}"; allowed are fractions above 0 and up to 1`,
      );
    }
    return size;
  });
  return [...new Set(sizes)].sort((a, b) => a - b);
}

function worthOf(text: string | undefined): Worth {
  const found = text === undefined ? "hits" : worths.find((worth) => worth === text);
  if (found !== undefined) return found;
  throw new RangeError(`Cannot simulate: --worth is "${text}"; allowed are ${worths.join(", ")}`);
}

function targetOf(hits: string | undefined, wait: string | undefined): Target | undefined {
  if (hits !== undefined && wait !== undefined) {
    throw new RangeError(
      "Cannot simulate: --target-hits and --target-wait are two targets; name one",
    );
  }
  if (wait !== undefined) {
    const waitMs = parseDuration("--target-wait", /^[\d.]+$/.test(wait) ? Number(wait) : wait);
    return { waitMs };
  }
  if (hits === undefined) return undefined;
  const hitRatio = Number(hits);
  if (hits.trim() !== "" && hitRatio > 0 && hitRatio < 1) return { hitRatio };
  throw new RangeError(
    `Cannot simulate: --target-hits is "${hits}"; allowed is a hit ratio between 0 and 1`,
  );
}
