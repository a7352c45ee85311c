// The words of the control block (layout.ts) that say whose the directory is. tsc and asc compile
// this file, like layout.ts.

/** u32 offset: the filter of written keys (assembly/written-keys.ts); and the mask of its bits, 0 =
 *  there is none. */
export const controlWrittenBase = 116;
export const controlWrittenMask = 120;
/** u32: one of the states below; the opener writes it. Beside the counts of a clear, which are not
 *  written often. */
export const controlDirectory = 480;

// How large the disk is, and how large it is to be. `resize` writes the wanted capacity in any
// thread; the janitor follows and writes the others (janitor/disk-room.ts).
/** u32: segment files in use: those with a lower number than this. Of the disk segment table no
 *  entry from it on is used. */
export const controlDiskSegmentsUsed = 484;
/** u64: bytes that the files may take, and those that they are to be able to take. They are equal
 *  unless a change is under way. */
export const controlDiskCapacity = 488;
export const controlDiskWanted = 496;
/** u32: added to when files have left the disk: what a thread has open may be one of them. */
export const controlDiskFilesRemoved = 504;
/** u32: changes that failed, and the system's number of the last one's error, 0 = the tier was
 *  down. Written before the wanted capacity goes back to the one in force. */
export const controlDiskResizesFailed = 508;
export const controlDiskResizeError = 124;
/** u32: added to at each step of a change: the janitor works on it. */
export const controlDiskResizeSteps = 532;

/** The directory is the cache's, or it has none. */
export const directoryOurs = 0;
/** Another cache has it, since before this one was opened or since it took it: this one keeps to
 *  memory. In the first case it notes which keys are written. */
export const directoryOthers = 1;
/** It is the cache's, and is being scanned: keys are noted still, and files are written. */
export const directoryTaken = 2;
