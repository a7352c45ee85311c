// The WebAssembly objects that handles carry, as types of this package's own: a user's project need
// not load TypeScript's DOM library, which alone declares WebAssembly. webassembly.d.ts declares
// it for the code here; no declaration that ships may name it.

/** A compiled kernel: a WebAssembly.Module. */
export type KernelModule = object;

/** The memory of a cache: a WebAssembly.Memory that is shared. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}
