// Both functions of the workers and all that they call, as one text. build/worker-source.mjs
// writes the module that this declares into dist/, when the rest is built.

/** A script for `new Worker(workerSource, { eval: true })`. It needs no file and no package. */
export declare const workerSource: string;
