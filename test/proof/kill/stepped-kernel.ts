// The compiled kernel with a step before every write to shared memory, at which a thread can be
// stopped to be killed. A step is WebAssembly alone: it reads its thread's cell in the unused tail
// of the control block, and if the cell names this step, it sleeps there for good. So a whole cache
// runs on this module, attached by a handle that has it.

import { readFileSync } from "node:fs";

import binaryen from "binaryen";

import * as at from "../../../src/kernel/layout.js";
import { withSteps } from "../steps.js";

/** Where the cells are: behind every used word of the control block. */
const cellsAt = 2048;
const cellBytes = 8;
/** Behind the cells one byte for each step, 1 once a thread has reached it. */
const seenAt = 2624;

export interface SteppedKernel {
  readonly module: WebAssembly.Module;
  /** The write that each step precedes, by the step's number. */
  readonly steps: readonly string[];
}

/** Builds it from the kernel that ships for this machine. Throws if a write has no step. */
export function stepKernel(): SteppedKernel {
  const file = process.arch === "x64" ? "kernel-tso.wasm" : "kernel.wasm";
  const kernel = readFileSync(new URL(`../../kernel/${file}`, import.meta.url));
  // 0 stands for no step.
  const steps: string[] = ["none"];
  let text = withSteps(kernel, (operation, attributes) => {
    if (operation.includes("load")) return undefined;
    return steps.push(`${operation}${attributes} (step ${steps.length})`) - 1;
  });
  if (seenAt + steps.length > at.controlBlockSize) throw new Error("no room for what is seen");
  const attach = /\(export "attach" \(func (\$[^\s)]+)\)\)/.exec(text);
  if (attach === null) throw new Error("the kernel exports no attach");
  text = text.replace(attach[0], '(export "attach" (func $attachStepped))');
  text = text.replace(/\)\s*$/, `${stepFunctions(attach[1] as string)})`);
  const stepped = binaryen.parseText(text);
  stepped.setFeatures(binaryen.Features.All);
  if (!stepped.validate()) throw new Error("the stepped kernel does not validate");
  const module = new WebAssembly.Module(stepped.emitBinary());
  stepped.dispose();
  return { module, steps };
}

function stepFunctions(attach: string): string {
  return `
  (global $cell (mut i32) (i32.const 0))
  (func $attachStepped (param $thread i32)
    (global.set $cell
      (i32.add (i32.const ${cellsAt}) (i32.mul (local.get $thread) (i32.const ${cellBytes}))))
    (call ${attach} (local.get $thread)))
  (func $step (param $address i32) (param $number i32) (result i32)
    (i32.store8 offset=${seenAt} (local.get $number) (i32.const 1))
    (if (i32.and (i32.ne (global.get $cell) (i32.const 0))
                 (i32.eq (i32.load (global.get $cell)) (local.get $number)))
      (then
        (i32.atomic.store offset=4 (global.get $cell) (local.get $number))
        (drop (memory.atomic.wait32 (global.get $cell) (local.get $number) (i64.const -1)))))
    (local.get $address))`;
}

/** Index among 32-bit words of the step at which a thread stops, 0 = at none. */
export function targetWord(thread: number): number {
  return (cellsAt + thread * cellBytes) / 4;
}

/** Index of the word that says at which step a thread has stopped. */
export function stoppedWord(thread: number): number {
  return targetWord(thread) + 1;
}

/** Whether any thread has reached this step. */
export function isSeen(bytes: Uint8Array, step: number): boolean {
  return bytes[seenAt + step] === 1;
}
