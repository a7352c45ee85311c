// What the commands that read a directory have in common: their options, and how they refuse what
// is none. Called by inspect and verify.
import { readFileSync } from "node:fs";
import { UndercroftError } from "../base/mod.js";
import type { Output } from "./output.js";
import { parsedOptions } from "./parsed-options.js";

export interface DirectoryOptions {
  readonly directory: string;
  readonly json: boolean;
  readonly help: boolean;
  /** The key of an encrypted directory. */
  readonly key: Uint8Array | null;
}

const keyBytes = 32;

const known = {
  json: { type: "boolean" },
  "key-file": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** Throws RangeError that names what is wrong, and what is allowed. */
export function directoryOptions(verb: string, words: readonly string[]): DirectoryOptions {
  const { values, positionals } = parsedOptions(verb, known, words);
  const help = values.help === true;
  const [directory = ""] = positionals;
  if (!help && (positionals.length !== 1 || directory === "")) {
    throw new RangeError(
      `Cannot ${verb}: ${positionals.length} directories were named; name the one of the cache`,
    );
  }
  const file = values["key-file"];
  const key = file === undefined || help ? null : keyIn(file);
  return { directory, json: values.json === true, help, key };
}

/** The key in a file: as bytes, or as text. Throws RangeError that tells nothing of what it holds.
 */
function keyIn(file: string): Uint8Array {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RangeError(`Cannot read --key-file ${file}: ${why}`, { cause: error });
  }
  if (bytes.length === keyBytes) return bytes;
  const text = bytes.toString("latin1").trim();
  const key = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? "hex" : "base64");
  if (key.length === keyBytes) return key;
  throw new RangeError(
    `Cannot use --key-file ${file}: it holds no key; a key is 32 bytes, or their hex or base64`,
  );
}

/** Runs a command; what is no cache directory, or cannot be read, is told in one line, with exit
 *  status 2. */
export async function orRefuse(output: Output, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof UndercroftError)) throw error;
    output.warn(error.message);
    return 2;
  }
}

const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** A size for people: "12.5 MiB". */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : Number(value.toPrecision(3))} ${units[unit]}`;
}

/** A moment for people, by the clock of the machine in UTC. */
export function momentText(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15
    ? new Date(ms).toISOString().slice(0, 19).replace("T", " ")
    : "unknown";
}

/** A word for a count: "1 entry", "3 entries". */
export function counted(count: number, one: string, more = `${one}s`): string {
  return `${count} ${count === 1 ? one : more}`;
}
