// Checks the options of the calls that have only one: `get` (signal) and `flush` (fsync). Called by
// the cache. Calls with more options are checked in config/.
import { describe } from "../base/mod.js";

/**
 * The option `name` of `options`.
 *
 * @throws TypeError if `options` is not an object, RangeError if it has an option of another name.
 */
function soleOption(options: unknown, name: string): unknown {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(
      `Cannot use option options: current value is ${describe(options)}; ` +
        "it must be an object of options",
    );
  }
  for (const given of Object.keys(options)) {
    if (given === name) continue;
    throw new RangeError(`Cannot use option ${given}: there is no such option; allowed is ${name}`);
  }
  return Reflect.get(options, name);
}

/** The signal in the options of `get`, or undefined. Throws TypeError if it is not a signal. */
export function signalOf(options: unknown): AbortSignal | undefined {
  const signal = soleOption(options, "signal");
  if (signal === undefined) return undefined;
  // Duck-typed: a signal may come from another realm or a polyfill.
  const candidate = signal as Partial<AbortSignal> | null;
  if (
    typeof candidate === "object" &&
    typeof candidate?.aborted === "boolean" &&
    typeof candidate.addEventListener === "function"
  ) {
    return signal as AbortSignal;
  }
  throw new TypeError(
    `Cannot use option signal: current value is ${describe(signal)}; it must be an AbortSignal`,
  );
}

/** Whether the options of `flush` ask for an fsync. Throws TypeError unless it is a boolean. */
export function fsyncOf(options: unknown): boolean {
  const fsync = soleOption(options, "fsync");
  if (fsync === undefined || typeof fsync === "boolean") return fsync === true;
  throw new TypeError(
    `Cannot use option fsync: current value is ${describe(fsync)}; it must be true or false`,
  );
}
