// Where a command writes: results to one stream and everything else to another, so that results can
// be piped.

export interface Output {
  /** Writes a result to standard output. */
  readonly print: (text: string) => void;
  /** Writes progress or an error to standard error. */
  readonly warn: (text: string) => void;
}
