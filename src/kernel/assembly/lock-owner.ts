// Asks the thread's JavaScript side whether the holder of a lock is dead: only it can ask the operating system. If so it
// has released the lock when this returns (Kernel in ../kernel.ts). Called by a thread that has spun for a lock in vain,
// which holds no other lock; what it calls in this instance is releaseLocks alone.
// @ts-ignore: decorator
@external("env", "isLockOwnerDead")
export declare function isLockOwnerDead(lockWord: u32): bool;
