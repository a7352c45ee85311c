// A process that runs one module, which its argument names.
await import(process.argv[2]);
