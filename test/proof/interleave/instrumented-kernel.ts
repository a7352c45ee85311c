// The compiled kernel with a call before every access to shared memory, so that a schedule can stop
// a thread there. The bytes are those that ship: Binaryen flattens them, each load, store and
// atomic has its address passed through the import `env.step`, and Asyncify lets the module stop
// inside that call. Called by thread.ts.

import binaryen from "binaryen";

import { withSteps } from "../steps.js";

/** What one access of the kernel does to memory. */
export interface Site {
  readonly operation: string;
  /** Added to the address that `step` is given. */
  readonly offset: number;
  readonly bytes: number;
  readonly isWrite: boolean;
}

export interface InstrumentedKernel {
  /** The instrumented module. */
  readonly bytes: Uint8Array;
  readonly sites: readonly Site[];
  /** The module's own variables, exported as "global:0" and so on, so that each schedule can begin
   *  as the one before. */
  readonly globals: number;
}

const wait = /\(memory\.atomic\.wait32(\s+\(call \$step [^\n]*\)\)\s+\([^)]*\))\s+\([^)]*\)/g;

function bytesOf(operation: string): number {
  const narrow = /(?:load|store|rmw)(8|16|32)/.exec(operation);
  if (narrow !== null) return Number(narrow[1]) / 8;
  if (operation.startsWith("v128")) return 16;
  return operation.startsWith("i64") || operation.startsWith("f64") ? 8 : 4;
}

/** Instruments a kernel in a few seconds. Throws if an access was left out. */
export function instrument(kernel: Uint8Array): InstrumentedKernel {
  const sites: Site[] = [];
  let text = withSteps(kernel, (operation, attributes) => {
    const offset = Number(/offset=(\d+)/.exec(attributes)?.[1] ?? 0);
    const isWrite = /store|rmw|copy/.test(operation);
    return sites.push({ operation, offset, bytes: bytesOf(operation), isWrite }) - 1;
  });
  // A thread that sleeps yields; the schedule decides for how long.
  text = text.replace(wait, "(call $wait$1");
  if (text.includes("memory.atomic.wait")) throw new Error("a wait of the kernel would be real");
  const globals = Array.from(
    text.matchAll(/\(global (\S+) \(mut /g),
    (match) => match[1] as string,
  );
  const exported = globals.map((name, index) => `(export "global:${index}" (global ${name}))`);
  text = text
    .replace(
      '(import "env" "memory"',
      `(import "env" "step" (func $step (param i32 i32) (result i32)))
       (import "env" "wait" (func $wait (param i32 i32) (result i32)))
       (import "env" "memory"`,
    )
    .replace(/\(export /, `${exported.join("\n")} (export `);
  const stepping = binaryen.parseText(text);
  stepping.setFeatures(binaryen.Features.All);
  binaryen.setPassArgument("asyncify-imports", "env.step,env.wait");
  binaryen.setPassArgument("asyncify-ignore-indirect", "");
  stepping.runPasses(["asyncify", "coalesce-locals", "vacuum"]);
  if (!stepping.validate()) throw new Error("the instrumented kernel does not validate");
  const bytes = stepping.emitBinary();
  stepping.dispose();
  return { bytes, sites, globals: globals.length };
}
