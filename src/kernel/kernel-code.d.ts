// The compiled kernels as base64. assembly/build.mjs writes the module that this declares into
// dist/: code in a module is found wherever a bundler puts it, a file beside it is not.

/** Without fences, for machines of total store order. */
export declare const totalStoreOrderCode: string;
/** With fences. */
export declare const fencedCode: string;
