// A full memory fence. Binaryen's optimizer drops the instruction that AssemblyScript's own
// atomic.fence compiles to, so the kernel calls this import instead. build.mjs replaces each call
// with the instruction after optimization.
// @ts-ignore: decorator
@external("env", "fence")
export declare function fence(): void;
