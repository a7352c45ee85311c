// How far a long command has come, as one line that is written over: to a terminal only, so that
// logs and pipes stay clean. Called by the commands that read directories.
import { elapsedMs } from "../base/mod.js";

/** Milliseconds between two lines. */
const everyMs = 200;

export interface Progress {
  /** `done` of `total`, in whatever unit. */
  note(this: void, done: number, total: number): void;
  /** Removes the line. */
  end(this: void): void;
}

/** The progress of what `verb` says, on standard error. */
export function progressOn(
  verb: string,
  stream: { isTTY?: boolean; write(text: string): unknown } = process.stderr,
): Progress {
  let toldAtMs = elapsedMs();
  let isShown = false;
  return {
    note(done, total) {
      if (stream.isTTY !== true || elapsedMs() - toldAtMs < everyMs) return;
      toldAtMs = elapsedMs();
      isShown = true;
      stream.write(`\r${verb}: ${Math.floor((done / Math.max(1, total)) * 100)} %`);
    },
    end() {
      if (isShown) stream.write("\r\u001b[K");
    },
  };
}
