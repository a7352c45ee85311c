// What a mutant of the protocol is. Called by the tables of mutants and by mutation.ts.

/** One change of one source, and the scenarios that must show it. */
export interface Mutant {
  readonly name: string;
  readonly breaks: string;
  readonly file: string;
  readonly find: string;
  readonly put: string;
  readonly scenarios: readonly string[];
}

export const entries = "src/kernel/assembly/index/entries.ts";
export const lookup = "src/kernel/assembly/index/lookup.ts";

/** A line of the table: what it breaks, where, the text, what is put there, and who must notice. */
export function mutant(
  name: string,
  breaks: string,
  file: string,
  [find, put]: readonly [string, string],
  ...scenarios: readonly string[]
): Mutant {
  return { name, breaks, file, find, put, scenarios };
}
