// Checks the options of the calls that have only one, `get` and `getMany` (signal) and `flush`
// (fsync), and takes the signal of `setAsync`. Called by the cache. Other options are checked in
// config/.
import { describe } from "../base/mod.js";
import { checkedSignal, type SetAsyncOptions, type SetOptions } from "../config/mod.js";

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
  return checkedSignal(soleOption(options, "signal"));
}

/** The options of `setAsync`: its signal, and those of `set`, which are not checked yet. */
export function splitSignal(options: SetAsyncOptions | undefined): {
  readonly signal: AbortSignal | undefined;
  readonly rest: SetOptions | undefined;
} {
  if (typeof options !== "object" || options === null) return { signal: undefined, rest: options };
  const { signal, ...rest } = options;
  return { signal: checkedSignal(signal), rest };
}

/** Whether the options of `flush` ask for an fsync. Throws TypeError unless it is a boolean. */
export function fsyncOf(options: unknown): boolean {
  const fsync = soleOption(options, "fsync");
  if (fsync === undefined || typeof fsync === "boolean") return fsync === true;
  throw new TypeError(
    `Cannot use option fsync: current value is ${describe(fsync)}; it must be true or false`,
  );
}
