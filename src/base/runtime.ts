// What the runtime must have. Called at open. Invariant: what is missing is named, with the remedy,
// before anything is opened.
import { UndercroftError } from "./errors.js";

/** What the library needs beyond the language, and whether a global scope has it. */
const needs: readonly (readonly [name: string, has: (scope: typeof globalThis) => boolean])[] = [
  ["WebAssembly (is it disabled by --jitless?)", ({ WebAssembly }) => WebAssembly !== undefined],
  ["SharedArrayBuffer", ({ SharedArrayBuffer }) => SharedArrayBuffer !== undefined],
  ["Atomics.waitAsync", ({ Atomics }) => Reflect.has(Atomics, "waitAsync")],
  ["String.prototype.isWellFormed", ({ String }) => Reflect.has(String.prototype, "isWellFormed")],
];

/** Throws ERR_RUNTIME if the scope lacks what a cache or map needs. */
export function assertRuntime(scope: typeof globalThis = globalThis): void {
  for (const [name, has] of needs) {
    if (!has(scope)) throw runtimeError(`this runtime has no ${name}`, `run ${supported}`);
  }
}

const supported = "Node.js 20.19 or later, or a runtime with the same features";

/** ERR_RUNTIME: what the runtime lacks or forbids, and what to do about it. */
export function runtimeError(
  fault: string,
  remedy: string,
  options?: { readonly cause?: unknown },
): UndercroftError {
  const text = `Cannot open a cache: ${fault}; ${remedy}`;
  return new UndercroftError("ERR_RUNTIME", text, options);
}

/** Whether Node.js refused a call because its permission model does not allow it. */
export function isAccessDenied(error: unknown): error is NodeJS.ErrnoException & {
  readonly permission?: string;
} {
  return (error as NodeJS.ErrnoException | null)?.code === "ERR_ACCESS_DENIED";
}

/** ERR_RUNTIME: the process may not reserve the address space of a WebAssembly memory. On 64-bit
 *  machines V8 reserves 10 GiB for each, whatever its size, and touches only what is used. */
export function addressSpaceError(cause?: unknown): UndercroftError {
  return runtimeError(
    "the process may not reserve as much address space as WebAssembly takes: 10 GiB for a cache " +
      "in memory, 30 GiB with a disk, whatever option memory is",
    "raise the limit (ulimit -v, systemd's LimitAS), or run node with " +
      "--disable-wasm-trap-handler, with which it takes about what option memory says",
    cause === undefined ? undefined : { cause },
  );
}
