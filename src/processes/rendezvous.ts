// Where processes find the owner of a directory: a Unix socket in it, a named pipe on Windows.
// Invariant: only who has the directory listens, so the newest socket of that name is the owner's.
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { withAddress } from "../directory/mod.js";
import { clearTimeout, setTimeout, withRealTicks } from "../base/mod.js";

export const socketName = "undercroft.socket";
/** Milliseconds until a listen or a connect without an answer has failed. */
const answerMs = 5000;
const ownerOnly = 0o600;

export interface Listening {
  /** No further process can connect. */
  end(): Promise<void>;
}

/** Listens in a directory that this process has. Under its name the socket is there only once it
 *  listens; one that an earlier owner left is replaced. */
export async function listenIn(
  path: string,
  serve: (server: net.Server) => void,
): Promise<Listening> {
  const server = net.createServer();
  server.unref();
  serve(server);
  const isPipe = process.platform === "win32";
  const fresh = `${socketName}-${randomBytes(8).toString("hex")}`;
  if (isPipe) await listen(server, pipeOf(path));
  else {
    try {
      await withAddress(path, fresh, (address) => listen(server, address));
      fs.chmodSync(join(path, fresh), ownerOnly);
      fs.renameSync(join(path, fresh), join(path, socketName));
    } catch (error) {
      withRealTicks(() => server.close());
      remove(join(path, fresh));
      throw error;
    }
  }
  server.on("error", () => undefined);
  return {
    end: async () => {
      if (!isPipe) remove(join(path, socketName));
      withRealTicks(() => server.close());
    },
  };
}

function remove(file: string): void {
  try {
    fs.unlinkSync(file);
  } catch {
    // It, or the directory, is not there any more.
  }
}

function pipeOf(path: string): string {
  const name = createHash("sha256").update(fs.realpathSync(path)).digest("hex").slice(0, 32);
  return `\\\\.\\pipe\\undercroft-${name}`;
}

function listen(server: net.Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("the system did not answer")), answerMs);
    server.once("error", reject);
    // Exclusive: the workers of node:cluster would share the socket through their primary.
    withRealTicks(() =>
      server.listen({ path: address, exclusive: true }, () => {
        clearTimeout(late);
        server.off("error", reject);
        resolve();
      }),
    );
  });
}

/** Connects to the owner of a directory; undefined if nobody listens there. Rejects with what else
 *  the system says. */
export async function connectIn(path: string): Promise<net.Socket | undefined> {
  if (process.platform === "win32") return connect(pipeOf(path));
  return withAddress(path, socketName, connect);
}

/** Where the system refuses the directory to this process, the attempt to open it says so. */
const nobodyListens = new Set([
  "ENOENT",
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTDIR",
  "EACCES",
  "EPERM",
  "ERR_ACCESS_DENIED",
]);

function connect(address: string): Promise<net.Socket | undefined> {
  return new Promise((resolve, reject) => {
    let socket: net.Socket;
    try {
      socket = withRealTicks(() => net.connect({ path: address }));
    } catch (error) {
      // The permission model throws at once.
      if (nobodyListens.has((error as NodeJS.ErrnoException).code ?? "")) resolve(undefined);
      else reject(error as Error);
      return;
    }
    const late = setTimeout(() => socket.destroy(new Error("the owner did not answer")), answerMs);
    socket.once("connect", () => {
      clearTimeout(late);
      socket.removeAllListeners("error");
      resolve(socket);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(late);
      if (nobodyListens.has(error.code ?? "")) resolve(undefined);
      else reject(error);
    });
  });
}
