// The words of the control block (layout.ts) that say whose the directory is. tsc and asc compile
// this file, like layout.ts.

/** u32 offset: the filter of written keys (assembly/written-keys.ts); and the mask of its bits, 0 =
 *  there is none. */
export const controlWrittenBase = 116;
export const controlWrittenMask = 120;
/** u32: one of the states below; the opener writes it. Beside the counts of a clear, which are not
 *  written often. */
export const controlDirectory = 480;

/** The directory is the cache's, or it has none. */
export const directoryOurs = 0;
/** Another cache has it, since before this one was opened or since it took it: this one keeps to
 *  memory. In the first case it notes which keys are written. */
export const directoryOthers = 1;
/** It is the cache's, and is being scanned: keys are noted still, and files are written. */
export const directoryTaken = 2;
