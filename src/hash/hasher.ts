// XXH64 over bytes, by xxhash-wasm. Called for checksums and for whatever hashes off the hot path; the kernel computes
// the same function itself, and a test holds the two equal. Invariant: one WebAssembly instance per thread.

import xxhash from "xxhash-wasm";

/** XXH64 of bytes. Both methods read `bytes` during the call only, and take views on shared memory. */
export interface Hasher {
  /** The whole hash, 0 to 2^64 - 1. `seed` is 64 bits, 0 without it. */
  h64(bytes: Uint8Array, seed?: bigint): bigint;
  /** The low half of the hash as an unsigned number: the checksum in records and headers. */
  low32(bytes: Uint8Array, seed?: bigint): number;
}

let instance: Promise<Hasher> | undefined;

/** Resolves to this thread's hasher, made at the first call. Rejects if WebAssembly cannot be instantiated. */
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
    instance = undefined; // the next caller tries again: memory may have been short for a moment
    throw error;
  }
}
