// The part of the WebAssembly interface that the kernel room uses. TypeScript declares it only in
// its DOM library, which this package does not load. Not shipped: see web-assembly.ts.
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Memory {
    readonly buffer: SharedArrayBuffer;
    constructor(descriptor: { initial: number; maximum: number; shared: boolean });
  }
  class Instance {
    readonly exports: Record<string, unknown>;
    constructor(
      module: Module,
      imports: { env: { memory: Memory; isLockOwnerDead(lockWord: number): number } },
    );
  }
}
