// Reads the words of a command line. Called by the options of each command, which check them.
import { parseArgs, type ParseArgsConfig } from "node:util";

type Known = NonNullable<ParseArgsConfig["options"]>;
type Parsed<O extends Known> = ReturnType<
  typeof parseArgs<{ args: string[]; allowPositionals: true; options: O }>
>;

/**
 * The options and the other words of a command line. `verb` is what the command does.
 *
 * @throws RangeError that names what is wrong, and the options that there are.
 */
export function parsedOptions<O extends Known>(
  verb: string,
  known: O,
  words: readonly string[],
): Parsed<O> {
  try {
    return parseArgs({ args: [...words], allowPositionals: true, options: known });
  } catch (error) {
    const [why] = (error instanceof Error ? error.message : String(error)).split(/\.\s/);
    const names = Object.keys(known).map((name) => `--${name}`);
    throw new RangeError(`Cannot ${verb}: ${why}; the options are ${names.join(", ")}`, {
      cause: error,
    });
  }
}

/** A whole number. Throws RangeError that names the option, and what is allowed. */
export function wholeNumber(verb: string, option: string, given: string, most: number): number {
  const number = Number(given);
  if (/^\d+$/.test(given) && number <= most) return number;
  throw new RangeError(
    `Cannot ${verb}: --${option} is "${given}"; it must be a whole number from 0 to ${most}`,
  );
}
