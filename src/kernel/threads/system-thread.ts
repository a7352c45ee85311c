// Threads as the operating system knows them: who the calling thread is, and whether another one still runs. Called by the
// thread table, to prove a death exactly. Only Linux tells (/proc); elsewhere there is no answer, and a death is known by
// the exit event of a worker alone.
import { existsSync, readFileSync } from "node:fs";

/** A thread of this process: the system's number for it, and when it was started, in the system's ticks. Numbers are given
 *  out again in time, number and start together are not. */
export interface SystemThread {
  readonly id: number;
  readonly started: number;
}

/** In the status line of a thread the fields behind its name, which may hold anything, begin with the third. */
const startedField = 19;

let self: SystemThread | null | undefined;

/** The calling thread, or null where the system does not tell. Asked once in a thread. */
export function systemThread(): SystemThread | null {
  self ??= process.platform === "linux" ? readStatus("/proc/thread-self/stat") : null;
  return self;
}

function pathOf(id: number): string {
  return `/proc/self/task/${id}/stat`;
}

function readStatus(path: string): SystemThread | null {
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch {
    return null;
  }
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const status = { id: parseInt(text, 10), started: Number(fields[startedField]) };
  return status.id > 0 && status.started > 0 ? status : null;
}

/** True if that thread has ended, which is then so for good; false if it runs or nobody can tell. A `started` of 0 is not
 *  known. Unless `exactly`, a thread of the same number counts as the same, which is asked in a fifth of the time. */
export function hasEnded(id: number, started: number, exactly: boolean): boolean {
  const own = systemThread();
  if (own === null) return false;
  if (!existsSync(pathOf(id))) {
    // Only if this thread can be seen does it mean anything that the other cannot.
    return existsSync(pathOf(own.id));
  }
  if (!exactly || started === 0) return false;
  const status = readStatus(pathOf(id));
  return status !== null && status.started !== started;
}
