// What a proof is: a program that does something to caches very often and checks that the
// guarantees hold. `npm run proof -- <name>` runs it for long, a test runs its CI share. Proofs are
// built to dist/test/proof.

/** One proof. Its options are all numbers, so that one command line says exactly what was run. */
export interface Proof<Name extends string = string> {
  /** Its name on the command line. */
  readonly name: string;
  /** One line for the list. */
  readonly about: string;
  /** Every option with its default, which is the long run. */
  readonly options: Readonly<Record<Name, number>>;
  /** Whether the command line may name files too. */
  readonly takesFiles?: boolean;
  /** Resolves to what was shown, in one line. Rejects with the first fault, whose message says how
   *  to repeat it. */
  run(
    options: Readonly<Record<Name, number>>,
    say: (line: string) => void,
    files?: readonly string[],
  ): Promise<string>;
}

/** A fault that a proof found: the library broke a guarantee. */
export class Fault extends Error {
  override readonly name = "Fault";
}

/** Ends the proof unless `holds`. */
export function hold(holds: boolean, text: string): asserts holds {
  if (!holds) throw new Fault(text);
}
