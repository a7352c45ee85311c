// A full fence. Binaryen's optimizer drops the instruction that AssemblyScript's own atomic.fence becomes, so the kernel
// calls this import instead, and build.mjs puts the instruction in its place after optimization.
// @ts-ignore: decorator
@external("env", "fence")
export declare function fence(): void;
