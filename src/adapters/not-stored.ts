// What an adapter tells its host of a value that the cache refused. Used where the host has a
// channel for it.
import { describe, UndercroftError } from "../base/mod.js";
import type { SetOutcome } from "../entries/mod.js";

const reasons: Readonly<Record<Exclude<SetOutcome, "stored">, string>> = {
  "too-large": "it takes more than a quarter of what the cache has for values",
  overloaded: "no memory could be freed in time",
  outdated: "the key has a value with a newer revision",
};

/** The error for a value that `set` did not store. */
export function notStoredError(key: string, outcome: keyof typeof reasons): UndercroftError {
  const text = `the value of key ${describe(key)} was not stored`;
  return new UndercroftError("ERR_NOT_STORED", `${text} ("${outcome}"): ${reasons[outcome]}`);
}
