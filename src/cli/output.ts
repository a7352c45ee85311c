// Where a command's words go: results to one stream, everything else to another, so that results can be piped.

export interface Output {
  /** A result, for standard output. */
  readonly print: (text: string) => void;
  /** Progress, and what went wrong, for standard error. */
  readonly warn: (text: string) => void;
}
