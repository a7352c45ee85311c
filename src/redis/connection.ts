// The caller's client, whichever package it comes from, and the two things in which they differ:
// how a command is sent so that its answer is bytes, and how another connection is made. No package
// is imported. Called by the tier and its log reader.
import { describe } from "../base/mod.js";

/** A word of a command. */
export type Word = string | Uint8Array | number;

export interface Connection {
  /** Sends a command; texts in the answer are bytes. */
  send(words: readonly Word[]): Promise<unknown>;
}

/** A connection of the tier's own. */
export interface OwnConnection extends Connection {
  /** Connects; may take for ever. */
  open(): Promise<void>;
  close(): void;
}

type AnyMethod = (...values: unknown[]) => unknown;
type AnyClient = Readonly<Record<string, AnyMethod | undefined>>;

/** The type code of a text in the protocol, by which node-redis is told to answer bytes. */
const bulkText = 36;
const asBytes = { typeMapping: { [bulkText]: Buffer } };

const allowed =
  "a client of one server: createClient() of redis 5 or 6 (node-redis), new Redis() of ioredis " +
  "or of iovalkey";

/** Throws TypeError unless `client` is one that a tier can use. */
export function assertClient(client: unknown): asserts client is AnyClient {
  const is = typeof client === "object" && client !== null;
  const members = (is ? client : {}) as AnyClient;
  const has = (name: string): boolean => typeof members[name] === "function";
  const isCluster =
    (members as Record<string, unknown>)["isCluster"] === true || has("getSlotMaster");
  if (has("duplicate") && (has("callBuffer") || has("sendCommand")) && !isCluster) return;
  const shown = isCluster ? "a client of a cluster" : describe(client);
  throw new TypeError(
    `Cannot use a Redis client: current value is ${shown}; it must be ${allowed}`,
  );
}

/** The caller's own connection. */
export function connectionOf(client: unknown): Connection {
  assertClient(client);
  return { send: senderOf(client) };
}

function senderOf(client: AnyClient): Connection["send"] {
  // ioredis and iovalkey have sendCommand too, of another kind.
  const isIo = typeof client["callBuffer"] === "function";
  return async (words) => {
    const given = words.map((word) =>
      typeof word === "string" || Buffer.isBuffer(word)
        ? word
        : typeof word === "number"
          ? String(word)
          : Buffer.from(word.buffer, word.byteOffset, word.byteLength),
    );
    return isIo ? client["callBuffer"]?.(...given) : client["sendCommand"]?.(given, asBytes);
  };
}

/** Another connection to the same server, which is not open yet. It does not connect anew by
 *  itself: who uses it makes another one. */
export function duplicateOf(client: unknown): OwnConnection {
  assertClient(client);
  const isIo = typeof client["callBuffer"] === "function";
  const own = client["duplicate"]?.(isIo ? ioOptions : undefined) as AnyClient;
  // Without a listener an error would end the process.
  own["on"]?.("error", () => undefined);
  return {
    send: senderOf(own),
    open: async () => void (await own["connect"]?.()),
    close: () => {
      try {
        own[isIo ? "disconnect" : "destroy"]?.();
      } catch {
        // It was never open, or has ended.
      }
    },
  };
}

/** A blocking read may take longer than the caller's commands may. */
const ioOptions = {
  lazyConnect: true,
  retryStrategy: () => null,
  maxRetriesPerRequest: null,
  commandTimeout: undefined,
};
