// Checks what is passed to attach: the handle of a cache or a map, as it came from another thread.

import { describe } from "../base/mod.js";

/** What a handle is of, and where its shared memory is. */
export interface HandleKind {
  /** "a cache" or "a shared map". */
  readonly of: string;
  readonly kind: string;
  readonly version: number;
  /** The call that gives one. */
  readonly from: string;
  readonly partsOf: (handle: Readonly<Record<string, unknown>>) => unknown;
}

/** Throws TypeError unless `value` is a handle of that kind that still has its shared memory. */
export function assertHandle(value: unknown, wanted: HandleKind): void {
  const { of, kind, version, from, partsOf } = wanted;
  const what = (text: string): string => `Cannot attach to ${of}: the handle ${text}`;
  const asks = `it must be what ${from} returned`;
  if (typeof value !== "object" || value === null || Reflect.get(value, "kind") !== kind) {
    throw new TypeError(what(`is ${describe(value)}; ${asks}`));
  }
  const handle = value as Readonly<Record<string, unknown>>;
  if (handle["version"] !== version) {
    throw new TypeError(
      what(`has version ${describe(handle["version"])}; ${asks} in this version of the package`),
    );
  }
  const parts = partsOf(handle) as Readonly<Record<string, unknown>> | null | undefined;
  if (isTagged(parts?.["module"], "Module") && isTagged(parts?.["memory"], "Memory")) return;
  throw new TypeError(
    what(
      "has lost its shared memory, as it does in JSON and in another process; send it to a " +
        "thread of this process by postMessage, workerData or setEnvironmentData",
    ),
  );
}

/** By its tag: the memory may be of another realm. */
function isTagged(value: unknown, name: string): boolean {
  return Object.prototype.toString.call(value) === `[object WebAssembly.${name}]`;
}
