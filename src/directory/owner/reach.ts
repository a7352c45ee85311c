// Finds the socket of a directory's owner, for those who ask what its cache does. Called by the
// commands for operators.
import { join } from "node:path";
import { fs } from "../../device/mod.js";
import { UndercroftError } from "../../base/mod.js";
import { manifestName } from "../directory-files.js";
import { kernelTag, listClaims, withAddress } from "./claims.js";
import { pipeName } from "./lock.js";

/**
 * Runs a call with the address of the socket of the cache that has the directory at `path` open.
 *
 * @throws RangeError if that is no directory of a cache; UndercroftError with ERR_DISK_IO if it is
 *   another user's, or no cache on this machine has it open.
 */
export async function reachOwner<T>(
  path: string,
  run: (address: string) => Promise<T>,
): Promise<T> {
  assertDirectory(path);
  if (process.platform === "win32") return await run(pipeName(path));
  const kernel = kernelTag();
  const claims = listClaims(path).filter((claim) => claim.isOwners);
  const claim = claims.find((each) => each.kernel === kernel);
  if (claim === undefined) {
    const where = claims.length === 0 ? "" : " on this machine";
    throw unreachable(path, `no cache has it open${where}`);
  }
  const stat = fs.lstatSync(join(path, claim.name), { bigint: false, throwIfNoEntry: false });
  const user = process.getuid?.();
  if (stat !== undefined && user !== 0 && stat.uid !== user) throw foreign(path);
  try {
    return await withAddress(path, claim.name, run);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM") throw foreign(path);
    if (code === "ECONNREFUSED" || code === "ENOENT") {
      throw unreachable(path, "the process that had it open is gone");
    }
    throw error;
  }
}

function assertDirectory(path: string): void {
  try {
    if (fs.readdirSync(path, "utf8").includes(manifestName)) return;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM") throw foreign(path);
    throw new RangeError(`Cannot look at ${path}: ${message}`, { cause: error });
  }
  throw new RangeError(`Cannot look at ${path}: it is no directory of a cache`);
}

function foreign(path: string): UndercroftError {
  return unreachable(path, "it is another user's; run the command as that user");
}

function unreachable(path: string, why: string): UndercroftError {
  return new UndercroftError("ERR_DISK_IO", `Cannot look at the cache in ${path}: ${why}`);
}
