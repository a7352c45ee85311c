// The claims of a cache directory: Unix sockets in it, by which its openers see each other, also
// out of containers with networks, process ids and roots of their own, as long as one kernel runs
// them. The kernel closes a socket when its process dies, even by kill -9, and a connect tells.
// lock.ts says who of them owns the directory.
//
//   undercroft.lock-new-<id>        bound, and perhaps not listening yet: nobody looks at it
//   undercroft.lock-c-<kernel>-<id> a candidate's, listening from the moment it has this name
//   undercroft.lock-o-<kernel>-<id> the owner's: the same socket, renamed
//
// Invariants: an id is random and never used again, so a claim that was dead once is dead for ever,
// and any opener may delete it. A claim of another kernel (a machine that shares the file system,
// or this one before it started anew) cannot be connected to: it counts as dead once its owner has
// not renewed it for leaseMs, by the clock of the file system.
import { createHash, randomBytes } from "node:crypto";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fs } from "../../device/mod.js";
import { elapsedMs, setImmediate, withRealTicks } from "../../base/mod.js";
import { coarsePrefix, readBootId } from "../trust/boot.js";

export const lockPrefix = "undercroft.lock";
/** A claim that its owner has not renewed for so long is dead, if its kernel is another. */
export const leaseMs = 30_000;
/** The longest path of a socket: macOS has 104 bytes for it, Linux 108. */
const pathBytesMax = 100;
/** Milliseconds until a connect without an answer counts as one to a living process. */
const connectTimeoutMs = 1000;
const claimPattern = /^undercroft\.lock-([co])-([0-9a-f]{8})-([0-9a-f]{16})$/;

/** A claim as its file says. */
export interface Claim {
  readonly name: string;
  readonly isOwners: boolean;
  readonly kernel: string;
  readonly id: string;
}

/** Eight digits for this run of the kernel; zeros where it has no id. */
export function kernelTag(): string {
  const boot = readBootId(0);
  if (boot.startsWith(coarsePrefix)) return "00000000";
  return createHash("sha256").update(boot).digest("hex").slice(0, 8);
}

export function newId(): string {
  return randomBytes(8).toString("hex");
}

export function claimName(kind: "c" | "o", kernel: string, id: string): string {
  return `${lockPrefix}-${kind}-${kernel}-${id}`;
}

/** The claims in a directory. Throws what the system does. */
export function listClaims(path: string): Claim[] {
  return fs.readdirSync(path, "utf8").flatMap((name) => {
    const match = claimPattern.exec(name);
    if (match === null) return [];
    const [, kind, kernel = "", id = ""] = match;
    return [{ name, isOwners: kind === "o", kernel, id }];
  });
}

/** Deletes a file of a claim, which nobody else may be using. */
export function removeClaim(path: string, name: string): void {
  try {
    fs.unlinkSync(join(path, name));
  } catch {
    // Another opener was faster, or the directory is gone.
  }
}

/** Runs a call with the address of a socket in a directory. A path too long for one goes through a
 *  link in the system's temporary directory. */
export async function withAddress<T>(
  path: string,
  name: string,
  run: (address: string) => Promise<T>,
): Promise<T> {
  const direct = join(path, name);
  if (Buffer.byteLength(direct) <= pathBytesMax) return run(direct);
  const folder = fs.mkdtempSync(join(tmpdir(), "uc-"));
  const link = join(folder, "d");
  try {
    fs.symlinkSync(path, link);
    return await run(join(link, name));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true, maxRetries: 0, retryDelay: 0 });
  }
}

/** What a connect tells of a claim: "moved" if there is none of that name any more. */
export type Liveness = "alive" | "dead" | "moved";

/** Asks whether the process of a claim lives. `now` is the time of the file system. */
export async function livenessOf(path: string, claim: Claim, now: number): Promise<Liveness> {
  const code = await withAddress(path, claim.name, connect);
  if (code === "ENOENT") return "moved";
  if (code !== "ECONNREFUSED") return "alive";
  if (claim.kernel === kernelTag()) return "dead";
  const renewed = renewedMs(path, claim.name);
  if (renewed === null) return "moved";
  return now - renewed > leaseMs ? "dead" : "alive";
}

/** When a claim was last renewed, by the clock of the file system; null if it is not there. */
export function renewedMs(path: string, name: string): number | null {
  const file = join(path, name);
  const stat = fs.lstatSync(file, { bigint: false, throwIfNoEntry: false });
  return stat === undefined ? null : stat.ctimeMs;
}

/** Connects, and answers the code of the error; "" if it worked, or did not fail in time. */
export async function connect(address: string): Promise<string> {
  const socket = withRealTicks(() => net.connect({ path: address }));
  socket.on("error", () => undefined);
  // Events come by process.nextTick, which a test may have replaced: so it looks.
  const until = elapsedMs() + connectTimeoutMs;
  while (socket.connecting && !socket.destroyed && elapsedMs() < until) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { errored } = socket;
  withRealTicks(() => socket.destroy());
  return errored === null ? "" : ((errored as NodeJS.ErrnoException).code ?? "");
}
