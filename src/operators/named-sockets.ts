// Where caches without a directory are found: sockets in a folder of the user's, named by the hash
// of the cache's name. Called by the opener, which listens, and by the commands for operators.
// Invariants: the folder is the user's and nobody else may enter it, else it is not used; a socket
// is the user's alone; one whose process has died is deleted by the next who listens or looks.
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UndercroftError, withRealTicks } from "../base/mod.js";

/** A socket that a cache listens on. */
export interface NamedSocket {
  close(): void;
}

const pattern = /^([0-9a-f]{16})-(\d+)-[0-9a-f]{8}$/;

function folderPath(): string {
  const base = process.env["XDG_RUNTIME_DIR"];
  const user = process.getuid?.() ?? 0;
  return join(base === undefined || base === "" ? tmpdir() : base, `undercroft-${user}`);
}

/** The folder; undefined if it is not the user's own. */
function folder(): string | undefined {
  const path = folderPath();
  const stat = fs.lstatSync(path, { bigint: false, throwIfNoEntry: false });
  const isOwn = stat?.isDirectory() === true && stat.uid === process.getuid?.();
  return isOwn && (stat.mode & 0o077) === 0 ? path : undefined;
}

function hashOf(name: string): string {
  return createHash("sha256").update(name).digest("hex").slice(0, 16);
}

/** Listens for operators of a cache. Rejects with ERR_DISK_IO if that cannot be. */
export async function listenNamed(
  name: string,
  accept: (socket: net.Socket) => void,
): Promise<NamedSocket> {
  const server = net.createServer(accept);
  server.unref();
  const file = `${hashOf(name)}-${process.pid}-${randomBytes(4).toString("hex")}`;
  try {
    if (process.platform === "win32") {
      await listen(server, pipeOf(file));
      return { close: () => withRealTicks(() => server.close()) };
    }
    const wanted = folderPath();
    fs.mkdirSync(wanted, { recursive: true, mode: 0o700 });
    const path = folder();
    if (path === undefined) throw new Error("it is not a folder of this user's alone");
    await socketsOf(path, () => true); // deletes those of the dead
    await listen(server, join(path, file));
    fs.chmodSync(join(path, file), 0o600);
  } catch (error) {
    withRealTicks(() => server.close());
    const why = error instanceof Error ? error.message : String(error);
    throw new UndercroftError(
      "ERR_DISK_IO",
      `Cannot listen for operators in ${folderPath()}: ${why}; leave option operators out, or ` +
        "name another folder by XDG_RUNTIME_DIR",
      { cause: error },
    );
  }
  return { close: () => withRealTicks(() => server.close()) };
}

async function listen(server: net.Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // Without `exclusive` the workers of node:cluster would share it.
    withRealTicks(() => server.listen({ path, exclusive: true }, resolve));
    if (server.listening) resolve();
  });
  server.on("error", () => undefined);
}

function pipeOf(file: string): string {
  return `\\\\.\\pipe\\undercroft-${file}`;
}

/** The addresses of the caches of a name, or of all. */
export async function namedSockets(name: string | undefined): Promise<string[]> {
  const wanted = name === undefined ? undefined : hashOf(name);
  const isWanted = (hash: string): boolean => wanted === undefined || wanted === hash;
  if (process.platform === "win32") {
    const files = fs.readdirSync("\\\\.\\pipe\\").filter((file) => file.startsWith("undercroft-"));
    return files
      .filter((file) => isWanted(file.slice(11, 27)))
      .map((file) => `\\\\.\\pipe\\${file}`);
  }
  const path = folder();
  return path === undefined ? [] : socketsOf(path, isWanted);
}

/** The sockets in a folder that a process listens on. */
async function socketsOf(path: string, isWanted: (hash: string) => boolean): Promise<string[]> {
  const living: string[] = [];
  for (const file of fs.readdirSync(path, "utf8")) {
    const hash = pattern.exec(file)?.[1];
    if (hash === undefined || !isWanted(hash)) continue;
    const address = join(path, file);
    if (await isListenedTo(address)) living.push(address);
    else fs.rmSync(address, { force: true });
  }
  return living;
}

async function isListenedTo(path: string): Promise<boolean> {
  const socket = net.connect({ path });
  const isThere = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
  });
  socket.destroy();
  return isThere;
}
