// Starts a janitor in a worker, where the runtime lets it begin. Called by the worker's file.
import { setTimeout, UndercroftError } from "../base/mod.js";
import { isFileAt } from "../device/mod.js";
import { schemasName } from "../directory/mod.js";
import { createHasher } from "../hash/mod.js";
import { Janitor } from "./janitor.js";
import { filesOf } from "../tiers/mod.js";
import type { JanitorStart, JanitorTask } from "./messages.js";

/** Starts a janitor in this thread. Resolves when what is on disk is recovered. From then on the
 *  janitor blocks the thread until controlStop is set, and reports through the task's port. Answers
 *  "other-files", and does nothing, where a worker does not share the opener's descriptors; and
 *  "no-address-space" where the process may reserve no more of it. */
export async function startJanitor(task: JanitorTask): Promise<JanitorStart> {
  if (!sharesDescriptors(task)) return "other-files";
  if (!(await hasHasher(task))) return "no-address-space";
  const janitor = await Janitor.start(task);
  // Run after the pool has seen the task resolve: a running task would keep the process alive.
  setTimeout(() => janitor.run(), 0);
  return "started";
}

/** Node.js gives all threads of a process the same descriptors; Deno does not. */
function sharesDescriptors({ handle: { disk }, recovery }: JanitorTask): boolean {
  if (disk === null || recovery === null) return true;
  return isFileAt(filesOf(disk).schemasFd, `${disk.path}/${schemasName}`);
}

/** Whether the hasher, which the disk needs, could be made in this thread. */
async function hasHasher({ handle }: JanitorTask): Promise<boolean> {
  if (handle.disk === null) return true;
  try {
    await createHasher();
    return true;
  } catch (error) {
    if (error instanceof UndercroftError && error.code === "ERR_RUNTIME") return false;
    throw error;
  }
}
