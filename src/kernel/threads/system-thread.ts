// Threads as the operating system knows them: identifies the calling thread, and tells whether
// another one still runs. Called by the thread table to prove a death. Only Linux tells (/proc);
// elsewhere only the exit event of a worker proves one.
import { existsSync, readFileSync } from "node:fs";

/** A thread of this process: its number in the system, and when it was started, in the system's
 *  ticks. Numbers are reused; a number with its start is unique. */
export interface SystemThread {
  readonly id: number;
  readonly started: number;
}

/** The start's index in /proc's stat line, counted from the field after the name: the name itself
 *  may contain anything, so parsing begins after it. */
const startedField = 19;

let self: SystemThread | null | undefined;

/** The calling thread, or null where the system does not tell. Read once per thread. */
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

/** True if that thread has ended, which never changes again; false if it runs or nobody can tell.
 *  `started` 0 means unknown. Unless `exactly`, any thread of the same number counts as the same;
 *  that check takes a fifth of the time. */
export function hasEnded(id: number, started: number, exactly: boolean): boolean {
  const own = systemThread();
  if (own === null) return false;
  if (!existsSync(pathOf(id))) {
    // A missing entry proves a death only if this thread's own entry is visible.
    return existsSync(pathOf(own.id));
  }
  if (!exactly || started === 0) return false;
  const status = readStatus(pathOf(id));
  return status !== null && status.started !== started;
}
