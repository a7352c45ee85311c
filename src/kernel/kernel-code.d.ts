// The compiled kernel. assembly/build.mjs writes the module that this declares into dist/: code in
// a module is found wherever a bundler puts it, a file beside it is not.

/** With fences; raw deflate, as base64. */
export declare const kernelCode: string;
/** Where each fence begins in the inflated kernel. */
export declare const fencesAt: readonly number[];
/** The bytes of a fence. */
export declare const fenceBytes: number;
