// Both functions of the workers and all that they call, as one text. The module that this declares
// is written into dist/ by workers/build/worker-source.mjs, when the rest is built.

/** A script for `new Worker(workerSource(), { eval: true })`. It needs no file and no package. */
export declare function workerSource(): string;
