// Steps in the compiled kernel: the points before its accesses to shared memory at which a thread
// can be stopped. Called by the programs that kill threads there (kill/) and that choose the order
// in which they go on (interleave/).

import binaryen from "binaryen";

const access = new RegExp(
  [
    String.raw`\((?<operation>(?:i32|i64|f64|v128)\.(?:atomic\.)?(?:load|store|rmw)[\w.]*`,
    String.raw`|memory\.atomic\.\w+|memory\.copy)`,
    String.raw`(?<attributes>(?: \w+=\d+)*)`,
    String.raw`\s+(?<address>\((?:local\.get|i32\.const) [^)]*\))`,
  ].join(""),
  "g",
);
const anyAccess =
  /\((?:(?:i32|i64|f64|v128)\.(?:atomic\.)?(?:load|store|rmw)|memory\.(?:atomic|copy|fill|init))/g;

/** The kernel's text, with the address of each access passed through a function `$step (address,
 *  number)`, which the caller adds. `numberOf` gives an access its number, or undefined for none.
 *  Throws if an access was left out. */
export function withSteps(
  kernel: Uint8Array,
  numberOf: (operation: string, attributes: string) => number | undefined,
): string {
  const flat = binaryen.readBinary(kernel);
  flat.setFeatures(binaryen.Features.All);
  // Every operand becomes a variable or a constant, so a step in an address comes after all other
  // operands were read.
  flat.runPasses(["flatten"]);
  const source = flat.emitText();
  flat.dispose();
  let found = 0;
  const text = source.replace(
    access,
    (whole, operation: string, attributes: string, address: string) => {
      found += 1;
      const number = numberOf(operation, attributes);
      if (number === undefined) return whole;
      return `(${operation}${attributes} (call $step ${address} (i32.const ${number}))`;
    },
  );
  const accesses = source.match(anyAccess)?.length ?? 0;
  if (accesses === 0 || found !== accesses) {
    throw new Error(`${found} of ${accesses} accesses of the kernel can be stopped at`);
  }
  return text;
}
