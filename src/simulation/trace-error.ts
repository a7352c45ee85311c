// The error for a trace that cannot be read; it names the file, where in it, and why.
import { UndercroftError } from "../base/mod.js";

/** `where` is the position in the file, such as "line 12", or empty. */
export function traceError(path: string, where: string, why: string): UndercroftError {
  const position = where === "" ? "" : `${where}: `;
  return new UndercroftError("ERR_TRACE", `Cannot read trace ${path}: ${position}${why}`);
}
