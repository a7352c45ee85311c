// XXH64 over bytes, by xxhash-wasm. Called for checksums and for all hashes off the hot path. The
// kernel computes the same function itself, and a test checks that the two agree. Invariant: one
// WebAssembly instance per thread.

import xxhash from "xxhash-wasm";
import { addressSpaceError } from "../base/mod.js";

/**
 * XXH64 of bytes. Both methods read `bytes` only during the call, and accept views on shared
 * memory.
 */
export interface Hasher {
  /** The whole hash, 0 to 2^64 - 1. `seed` is 64 bits, by default 0. */
  h64(bytes: Uint8Array, seed?: bigint): bigint;
  /** The low half of the hash as an unsigned number: the checksum in records and headers. */
  low32(bytes: Uint8Array, seed?: bigint): number;
}

let instance: Promise<Hasher> | undefined;

/**
 * Resolves to this thread's hasher, which the first call makes. Rejects with ERR_RUNTIME if the
 * process may not reserve the address space of one more WebAssembly memory.
 */
export function createHasher(): Promise<Hasher> {
  instance ??= instantiate();
  return instance;
}

async function instantiate(): Promise<Hasher> {
  try {
    const api = await xxhash();
    return Object.freeze({
      h64: (bytes: Uint8Array, seed = 0n) => api.h64Raw(bytes, seed),
      low32: (bytes: Uint8Array, seed = 0n) => Number(api.h64Raw(bytes, seed) & 0xffffffffn) >>> 0,
    });
  } catch (error) {
    instance = undefined; // let the next caller try again: memory may be short only for now
    throw error instanceof RangeError ? addressSpaceError(error) : error;
  }
}
