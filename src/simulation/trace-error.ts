// What can be wrong with a trace, said so that its owner finds the place.
import { UndercroftError } from "../base/mod.js";

/** `where` is a place in the file, as "line 12", or empty. */
export function traceError(path: string, where: string, why: string): UndercroftError {
  const place = where === "" ? "" : `${where}: `;
  return new UndercroftError("ERR_TRACE", `Cannot read trace ${path}: ${place}${why}`);
}
