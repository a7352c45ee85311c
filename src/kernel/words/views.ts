// Views of a cache's whole shared memory: element i of `u32` is at byte 4 i, of `f64` and `u64` at
// byte 8 i. Used in this room only: other rooms read the memory through named accessors.
import type { SharedMemory } from "../web-assembly.js";

export interface Views {
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  readonly u64: BigUint64Array;
}

export function viewsOf(memory: SharedMemory): Views {
  const { buffer } = memory;
  return {
    u8: new Uint8Array(buffer),
    i32: new Int32Array(buffer),
    u32: new Uint32Array(buffer),
    f64: new Float64Array(buffer),
    u64: new BigUint64Array(buffer),
  };
}
