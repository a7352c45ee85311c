// Asks the thread's JavaScript side whether a lock owner is dead: only JavaScript can ask the
// operating system. If the owner is dead, its locks are released by the time this returns (Kernel
// in ../kernel.ts). The caller has spun for a lock in vain and holds no other lock. The JavaScript
// side may call only releaseLocks in this instance.
// @ts-ignore: decorator
@external("env", "isLockOwnerDead")
export declare function isLockOwnerDead(lockWord: u32): bool;
