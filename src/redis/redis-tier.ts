// A tier in a Redis or Valkey server that other machines use too, over the caller's client. Called
// by the cache, in the thread that opened it. What runs in the server, and why it is right:
// scripts.ts. What others do: log-reader.ts. Invariant: a call that the server answers too late may
// still be made by it: a batch names what its maker knew, so it cannot undo what came later.
import { randomUUID } from "node:crypto";
import { describe, parseDuration } from "../base/mod.js";
import { optionsOf } from "../config/mod.js";
import type {
  Tier,
  TierChange,
  TierEntry,
  TierKey,
  TierListener,
  TierTurn,
} from "../outer-tiers/mod.js";
import { assertClient, connectionOf, duplicateOf, type Word } from "./connection.js";
import { bodyOf, entryOf, idOf, nameOf, namesOf } from "./entry-text.js";
import { LogReader } from "./log-reader.js";
import { ReadBatch } from "./read-batch.js";
import {
  applyScript,
  batchMax,
  leaseScript,
  logMax,
  namesMax,
  readScript,
  releaseScript,
} from "./scripts.js";
import { KeyNames, randomPart, Server, textOf, within } from "./server.js";

const prefixPattern = /^[A-Za-z0-9_.:/-]{1,64}$/;
/** Beyond this an entry is stored without an end: some 300 years. */
const ttlMsMax = 1e13;

/**
 * The options of `redisTier`. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import type { RedisTierOptions } from "undercroft/redis";
 *
 * const options: RedisTierOptions = { prefix: "agents", staleness: "5s" };
 * console.log(options.prefix); // agents
 * ```
 */
export interface RedisTierOptions {
  /** What all keys of the tier begin with, in braces: 1 to 64 letters, digits and `_ . : / -`.
   *  Caches with one prefix share what they store. Default "undercroft". */
  readonly prefix?: string;
  /** The tier's name in events, 1 to 64 characters. Default "redis". */
  readonly name?: string;
  /** How long one command may take; then the tier is down, and is tried again. 10 ms to 60 s.
   *  Default "1s". */
  readonly timeout?: number | string;
  /** For how long the cache goes on with what it has while it cannot hear of others: at least
   *  100 ms, or `Infinity`. Then all that it has ends, and again after each further such time.
   *  Default "2s". */
  readonly staleness?: number | string;
  /** How long one process may load a key before another one begins too: 100 ms to 30 s. Default
   *  "5s". */
  readonly lease?: number | string;
}

/**
 * A tier in a Redis or Valkey server, for the option `tiers` of `openCache`: the caches of many
 * processes and machines share what they load, and hear of each other's changes.
 *
 * The client is yours: of redis 5 or 6 (node-redis), ioredis or iovalkey, of one server (no
 * cluster). It stays open at `close`. For what others do the tier makes another connection by
 * `client.duplicate()`. The server must be 5.0 or later, and able to run scripts.
 *
 * What one machine changes ends on the others a moment later; if a machine cannot hear of the
 * others, at most `staleness` later. What a directory has from an earlier session is dropped at
 * open.
 *
 * @throws TypeError if `client` is no such client or an option is of a wrong type, RangeError if an
 *   option is out of its bounds.
 *
 * @example
 * ```ts
 * import type { CacheOptions } from "undercroft";
 * import { redisTier } from "undercroft/redis";
 *
 * // of createClient() of "redis", or new Redis() of "ioredis"
 * const options = (client: unknown): CacheOptions => ({ tiers: [redisTier(client)] });
 * try {
 *   options("redis://localhost");
 * } catch (error) {
 *   console.log((error as Error).name); // TypeError
 * }
 * ```
 */
export function redisTier(client: unknown, options: RedisTierOptions = {}): Tier {
  assertClient(client);
  const names = ["prefix", "name", "timeout", "staleness", "lease"];
  const given = optionsOf("", options, names);
  const { prefix = "undercroft", name = "redis" } = given;
  if (typeof prefix !== "string" || !prefixPattern.test(prefix)) {
    const Kind = typeof prefix === "string" ? RangeError : TypeError;
    throw new Kind(
      `Cannot use option prefix: current value is ${describe(prefix)}; it must be 1 to 64 ` +
        "letters, digits and _ . : / -",
    );
  }
  if (typeof name !== "string") {
    throw new TypeError(
      `Cannot use option name: current value is ${describe(name)}; it must be a string`,
    );
  }
  const timeoutMs = duration("timeout", given["timeout"] ?? 1000, 10, 60_000);
  const stalenessMs = duration("staleness", given["staleness"] ?? 2000, 100, Infinity);
  const leaseMs = duration("lease", given["lease"] ?? 5000, 100, 30_000);
  return new RedisTier(client, { prefix, name, timeoutMs, stalenessMs, leaseMs });
}

function duration(option: string, given: unknown, min: number, max: number): number {
  const ms = parseDuration(option, given);
  if (ms >= min && ms <= max) return ms;
  const most = max === Infinity ? "" : ` and at most ${max} ms`;
  throw new RangeError(
    `Cannot use option ${option}: current value is ${describe(given)}; ` +
      `it must be at least ${min} ms${most}`,
  );
}

interface Settings {
  readonly prefix: string;
  readonly name: string;
  readonly timeoutMs: number;
  readonly stalenessMs: number;
  readonly leaseMs: number;
}

class RedisTier implements Tier {
  readonly name: string;
  readonly #client: unknown;
  readonly #settings: Settings;
  readonly #names: KeyNames;
  readonly #server: Server;
  readonly #writer = randomUUID();
  readonly #reads = new ReadBatch((keys) => this.#read(keys));
  #log: LogReader | undefined;
  #batches = 0;

  constructor(client: unknown, settings: Settings) {
    this.name = settings.name;
    this.#client = client;
    this.#settings = settings;
    this.#names = new KeyNames(settings.prefix);
    this.#server = new Server(connectionOf(client), settings.timeoutMs);
  }

  // ── What others do ──────────────────────────────────────────────────────────────────────────

  async subscribe(listener: TierListener): Promise<() => void> {
    const log = this.#follow(listener);
    await log.contact;
    return () => log.close();
  }

  #follow(listener: TierListener): LogReader {
    const { timeoutMs, stalenessMs } = this.#settings;
    const log = new LogReader({
      names: this.#names,
      writer: this.#writer,
      timeoutMs,
      stalenessMs,
      connect: () => duplicateOf(this.#client),
      listener,
    });
    this.#log?.close();
    this.#log = log;
    log.start();
    return log;
  }

  /** The log, once it was reached. A tier that no cache has opened follows it for nobody. */
  async #reached(): Promise<LogReader> {
    const ignore = (): void => undefined;
    const nobody = { ended: ignore, freed: ignore, touched: ignore };
    const log = this.#log ?? this.#follow(nobody);
    if (log.position === undefined) {
      await within(this.#settings.timeoutMs, "the log of the tier", log.contact).catch(() => {
        throw log.why;
      });
    }
    return log;
  }

  /** The log, if nothing of it is missing for longer than may be. */
  async #inTouch(): Promise<LogReader> {
    const log = await this.#reached();
    if (!log.isInTouch) throw log.why;
    return log;
  }

  // ── Reads ───────────────────────────────────────────────────────────────────────────────────

  getMany(keys: readonly TierKey[]): Promise<readonly (TierEntry | undefined)[]> {
    return this.#reads.getMany(keys);
  }

  async #read(keys: readonly TierKey[]): Promise<readonly (TierEntry | undefined)[]> {
    const log = await this.#inTouch();
    const epoch = log.position?.epoch ?? "";
    const entries = keys.map((key) => this.#names.entry(idOf(key)));
    const answer = await this.#server.run(
      readScript,
      [...this.#names.base, ...entries],
      [epoch, log.witness],
    );
    if (textOf(answer[0]) === epoch) return keys.map((_, index) => entryOf(answer[index + 1]));
    await log.check(this.#server);
    return keys.map(() => undefined);
  }

  async lease(key: TierKey, token: string, now: number): Promise<TierTurn> {
    const log = await this.#inTouch();
    const epoch = log.position?.epoch ?? "";
    const id = idOf(key);
    const keys = [...this.#names.base, this.#names.entry(id), this.#names.lease(id)];
    const values = [epoch, token, this.#settings.leaseMs, now, log.witness];
    const [found, body, waitMs] = await this.#server.run(leaseScript, keys, values);
    if (textOf(found) !== epoch) await log.check(this.#server);
    const wait = Number(waitMs);
    return { entry: entryOf(body), isGiven: wait === 0, waitMs: Math.max(0, wait) };
  }

  async release(key: TierKey, token: string): Promise<void> {
    const log = await this.#reached();
    const id = idOf(key);
    const keys = [...this.#names.base, this.#names.lease(id)];
    const values = [log.position?.epoch ?? "", token, this.#writer, randomPart(), logMax, id];
    await this.#server.run(releaseScript, keys, values);
  }

  // ── Changes ─────────────────────────────────────────────────────────────────────────────────

  async apply(changes: readonly TierChange[], now: number): Promise<void> {
    for (let at = 0; at < changes.length; at += batchMax) {
      const part = changes.slice(at, at + batchMax);
      const log = await this.#reached();
      if (await this.#applyOnce(log, part, now)) continue;
      // Another epoch: what was set before it is older than anything there may be.
      await log.check(this.#server);
      const ends = part.map((change): TierChange => {
        if (change.kind !== "set") return change;
        const { namespace, key } = change;
        return { kind: "delete", namespace, key };
      });
      if (!(await this.#applyOnce(log, ends, now)))
        throw new Error("its epoch changes all the time");
    }
  }

  /** False if the server has another epoch: nothing was made. */
  async #applyOnce(log: LogReader, changes: readonly TierChange[], now: number): Promise<boolean> {
    const { epoch = "", id = "" } = log.position ?? {};
    const keys: Word[] = [...this.#names.base];
    const fixed = [epoch, this.#writer, ++this.#batches, id, randomPart(), logMax, namesMax];
    const values: Word[] = [...fixed];
    for (const change of changes) {
      if (change.kind === "delete-by-tag" || change.kind === "clear") {
        values.push("n", nameOf(change), "", "", "");
        continue;
      }
      const keyId = idOf(change);
      keys.push(this.#names.entry(keyId));
      const ttlMs = change.kind === "set" ? Math.ceil(change.entry.staleUntil - now) : 0;
      if (change.kind === "delete" || ttlMs <= 0) {
        values.push("d", keyId, "", "", "");
        continue;
      }
      const { entry } = change;
      const ttl = ttlMs > ttlMsMax ? "" : ttlMs;
      values.push("s", keyId, ttl, namesOf(change, entry.tags), bodyOf(entry));
    }
    const [refused, made] = await this.#server.run(applyScript, keys, values);
    if (Number(refused) < 0) return false;
    log.made(epoch, textOf(made));
    return true;
  }

  async health(): Promise<void> {
    await this.#inTouch();
    await this.#server.send(["PING"]);
  }

  /** The client is the caller's. */
  close(): void {
    this.#log?.close();
  }
}
