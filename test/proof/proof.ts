// What a proof is: a program that does something to caches very often and looks whether what must always hold still does.
// Each is run long by `npm run proof -- <name>`, and in its CI share by a test. They are built to dist/test/proof.

/** One proof. Its options are all numbers, so that a line of the shell says exactly what was run. */
export interface Proof<Name extends string = string> {
  /** As the command line names it. */
  readonly name: string;
  /** One line for the list. */
  readonly about: string;
  /** Every option with its default, which is the long run. */
  readonly options: Readonly<Record<Name, number>>;
  /** May the line name files too? */
  readonly takesFiles?: boolean;
  /** Resolves to what was shown, in one line. Rejects with the first fault, whose message holds what repeats it. */
  run(
    options: Readonly<Record<Name, number>>,
    say: (line: string) => void,
    files?: readonly string[],
  ): Promise<string>;
}

/** A fault that a proof found: the library broke a promise. */
export class Fault extends Error {
  override readonly name = "Fault";
}

/** Ends the proof unless `holds`. */
export function hold(holds: boolean, text: string): asserts holds {
  if (!holds) throw new Fault(text);
}
