// Finds the running cache that a command for operators is about, and connects to it. Called by
// `undercroft top`, `dashboard` and `record`.
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { describe } from "../../base/mod.js";
import { reachOwner } from "../../directory/mod.js";
import { Connection, namedSockets, protocolVersion } from "../../operators/mod.js";

/** Milliseconds in which a cache says its name. */
const nameTimeoutMs = 3000;

/** Which cache: a directory or a name; without, the only one that is found. */
export interface Target {
  readonly target: string | undefined;
  readonly pid: number | undefined;
}

/**
 * Connects to the cache that the options name.
 *
 * @throws RangeError if there is none, or more than one; UndercroftError if there is one that this
 *   process may not ask.
 */
export async function connect({ target, pid }: Target): Promise<Connection> {
  if (target !== undefined && isDirectory(target)) {
    return reachOwner(resolve(target), (address) => Connection.to(address));
  }
  if (target !== undefined && /[/\\]/.test(target)) {
    throw new RangeError(`Cannot look at ${target}: there is no such directory`);
  }
  const found = await all(target, pid);
  const [one] = found;
  if (one !== undefined && found.length === 1) return one.connection;
  for (const { connection } of found) connection.end();
  throw one === undefined ? noneError(target, pid) : severalError(found);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path, { bigint: false, throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return true; // not to be looked at by this user, which is told when it is opened
  }
}

interface Found {
  readonly name: string;
  readonly pid: number;
  readonly connection: Connection;
}

/** The caches without a directory that answer: of a name and of a process, if they are given. */
async function all(name: string | undefined, pid: number | undefined): Promise<Found[]> {
  const found: Found[] = [];
  for (const address of await namedSockets(name)) {
    const one = await knock(address);
    if (one === undefined) continue;
    const isWanted = one.name === (name ?? one.name) && one.pid === (pid ?? one.pid);
    if (isWanted) found.push(one);
    else one.connection.end();
  }
  return found;
}

async function knock(address: string): Promise<Found | undefined> {
  const connection = await Connection.to(address).catch(() => undefined);
  if (connection === undefined) return undefined;
  try {
    const question = { v: protocolVersion, keys: 0, names: false, details: false } as const;
    const answer = await connection.ask(question, nameTimeoutMs);
    if (!("error" in answer)) return { name: answer.name, pid: answer.pid, connection };
  } catch {
    // It has closed meanwhile, or its event loop is blocked.
  }
  connection.end();
  return undefined;
}

function noneError(target: string | undefined, pid: number | undefined): RangeError {
  const which = target === undefined ? "" : ` named ${describe(target)}`;
  const where = pid === undefined ? "" : ` in process ${pid}`;
  return new RangeError(
    `Cannot show a cache${which}${where}: this user has none open with option operators; name ` +
      "its directory, if it has one",
  );
}

function severalError(found: readonly Found[]): RangeError {
  const list = found.map(({ name, pid }) => `${describe(name)} (--pid ${pid})`).join(", ");
  return new RangeError(`Cannot show ${found.length} caches: name one of ${list}`);
}
