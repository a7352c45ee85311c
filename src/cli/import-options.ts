// Reads and checks the command line of `undercroft import`. Called by that command.
import type { ParseArgsConfig } from "node:util";
import { parsedOptions } from "./parsed-options.js";

/** Columns of a table. */
export interface TableSource {
  readonly file: string;
  readonly table: string;
  readonly key: string;
  readonly value: string;
  /** The value is JSON. */
  readonly json: boolean;
}

export interface ImportOptions {
  readonly directory: string;
  /** Undefined: lines of JSON from standard input. */
  readonly source: TableSource | undefined;
  readonly memory: string | undefined;
  readonly capacity: string | undefined;
  readonly ttl: string | undefined;
  readonly help: boolean;
}

const known = {
  sqlite: { type: "string" },
  table: { type: "string" },
  key: { type: "string" },
  value: { type: "string" },
  json: { type: "boolean" },
  memory: { type: "string" },
  capacity: { type: "string" },
  ttl: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const satisfies ParseArgsConfig["options"];

/** Throws RangeError that names what is wrong, and what is allowed. */
export function importOptions(words: readonly string[]): ImportOptions {
  const { values, positionals } = parsedOptions("import", known, words);
  const help = values.help === true;
  const [directory] = positionals;
  if (directory === undefined ? !help : positionals.length > 1) {
    throw new RangeError(
      `Cannot import: ${positionals.length} directories were named; name the one of the cache`,
    );
  }
  return {
    directory: directory ?? "",
    source: help ? undefined : sourceOf(values),
    memory: values.memory,
    capacity: values.capacity,
    ttl: values.ttl,
    help,
  };
}

type Values = ReturnType<typeof parsedOptions<typeof known>>["values"];

function sourceOf(values: Values): TableSource | undefined {
  const { sqlite: file, table, key, value, json } = values;
  if (file !== undefined && table !== undefined && key !== undefined && value !== undefined) {
    return { file, table, key, value, json: json === true };
  }
  const given = { sqlite: file, table, key, value, json };
  const names = Object.entries(given).flatMap(([name, text]) =>
    text === undefined ? [] : [`--${name}`],
  );
  if (names.length === 0) return undefined;
  throw new RangeError(
    `Cannot import: ${names.join(", ")} say too little; a table needs --sqlite, --table, ` +
      "--key and --value, and lines of JSON come by standard input without any of them",
  );
}
