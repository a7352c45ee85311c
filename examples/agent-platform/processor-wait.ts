// How long a thread has waited for a processor while it could have run, in nanoseconds since it
// began, as Linux counts it; elsewhere always 0. With it a time can be told apart from what other
// threads and processes of the machine took of it. Called by lookups.ts around each lookup.
import { openSync, readSync } from "node:fs";

const bytes = Buffer.alloc(128);
const file = open();

/** A read of a few microseconds. */
export function processorWaitNs(): number {
  if (file === undefined) return 0;
  const length = readSync(file, bytes, 0, bytes.length, 0);
  return Number(bytes.toString("latin1", 0, length).split(" ")[1]);
}

/** The file is the opening thread's own: each thread has this module for itself. */
function open(): number | undefined {
  try {
    return openSync("/proc/thread-self/schedstat", "r");
  } catch {
    return undefined;
  }
}
