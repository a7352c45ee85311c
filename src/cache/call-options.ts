// The options of a call that has only one: `get`, `flush`. Called by the facade; calls with more options are config's.
import { describe } from "../base/mod.js";

/** The option `name` of what a caller passed as options.
 *  @throws TypeError if it is no object, RangeError if it has an option of another name. */
function soleOption(options: unknown, name: string): unknown {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(
      `Cannot use option options: current value is ${describe(options)}; it must be an object of options`,
    );
  }
  for (const given of Object.keys(options)) {
    if (given === name) continue;
    throw new RangeError(`Cannot use option ${given}: there is no such option; allowed is ${name}`);
  }
  return Reflect.get(options, name);
}

/** The signal in the options of `get`. */
export function signalOf(options: unknown): AbortSignal | undefined {
  const signal = soleOption(options, "signal");
  if (signal === undefined) return undefined;
  // By its members, not its class: a signal may come from another realm or a polyfill.
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

/** Whether the options of `flush` ask for an fsync. */
export function fsyncOf(options: unknown): boolean {
  const fsync = soleOption(options, "fsync");
  if (fsync === undefined || typeof fsync === "boolean") return fsync === true;
  throw new TypeError(
    `Cannot use option fsync: current value is ${describe(fsync)}; it must be true or false`,
  );
}
