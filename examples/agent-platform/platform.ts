// The platform in one thread: what a message reads and changes, with the cache or without it.
import { setTimeout as sleep } from "node:timers/promises";

import { loadAgent, type Sources } from "./loaders.js";
import type { Lookups } from "./lookups.js";
import { type ByTool, type PatternCache, tagOf } from "./pattern-cache.js";
import { agentTypes, type Block, blockNames, type ByName, type ByType } from "./records.js";
import { lastOf } from "./remote-api.js";
import { historyStep } from "./versions.js";

interface Parts {
  readonly sources: Sources;
  /** Null: the platform does without. */
  readonly cache: PatternCache | null;
  readonly lookups: Lookups;
  readonly random: () => number;
  readonly users: number;
  /** Other processes have the cache too: a change returns when none of them answers what was. */
  readonly isShared?: boolean;
}

const attemptsMax = 40;
const retryMs = 250;

export class Platform {
  /** How often others had to be told again. */
  retries = 0;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** One message to an agent of a user. */
  async message(user: number, type: string): Promise<void> {
    const agent = { user, type };
    await this.#readAgent(agent);
    await Promise.all([
      this.#readGroup({ user, name: "main" }),
      this.#readBlocks(user),
      this.#readHistory(agent),
      this.#readAgentsOf(user),
      this.#parts.random() < 0.3 ? this.#readFiles(user) : undefined,
    ]);
    const chance = this.#parts.random();
    if (chance < 0.1) await this.#writeBlock({ user, name: "scratch" }, `noted ${chance}`);
    else if (chance < 0.25) await this.#append(agent, `said ${chance}`);
    else if (chance < 0.252) await this.#changePrompt(agent);
    else if (chance < 0.254) await this.#changeGroup({ user, name: "main" });
    else if (chance < 0.256)
      await this.#forget(Math.floor(this.#parts.random() * this.#parts.users));
  }

  #readAgent(key: ByType): Promise<unknown> {
    return this.#parts.lookups.one("agents", key.user, key.type, () =>
      this.#parts.cache === null
        ? loadAgent(this.#parts.sources, key)
        : this.#parts.cache.agents.getOrFetch(key),
    );
  }

  #readGroup(key: ByName): Promise<unknown> {
    return this.#parts.lookups.one("groups", key.user, key.name, () =>
      this.#parts.cache === null
        ? this.#parts.sources.records.group(key)
        : this.#parts.cache.groups.getOrFetch(key),
    );
  }

  /** Without the cache by one query, as a careful service does. */
  async #readBlocks(user: number): Promise<unknown> {
    const { cache } = this.#parts;
    const keys = blockNames.map((name) => ({ user, name }));
    const look = (read: (key: ByName, index: number) => Block | Promise<Block | undefined>) =>
      keys.map((key, index) =>
        this.#parts.lookups.one("blocks", user, key.name, () => read(key, index)),
      );
    if (cache !== null) return Promise.all(look((key) => cache.blocks.getOrFetch(key)));
    // In a microtask: each lookup notes the version that it must have before the query is made.
    const rows = Promise.resolve().then(() => this.#parts.sources.records.blocks(keys));
    return Promise.all(look(async (_key, index) => (await rows)[index]));
  }

  #readHistory(key: ByType): Promise<unknown> {
    return this.#parts.lookups.one("history", key.user, key.type, () =>
      this.#parts.cache === null
        ? this.#parts.sources.remote.history(key)
        : this.#parts.cache.history.getOrFetch(key),
    );
  }

  #readAgentsOf(user: number): Promise<unknown> {
    const load = () => {
      this.#parts.sources.loaded("query", 1);
      return this.#parts.sources.records.agentsOf(user);
    };
    return this.#parts.lookups.agentsOf(user, agentTypes, () =>
      this.#parts.cache === null
        ? load()
        : this.#parts.cache.tools.getOrFetch({ user, tool: "agents" }, load),
    );
  }

  #readFiles(user: number): Promise<unknown> {
    const load = () => {
      this.#parts.sources.loaded("files", 1);
      return this.#parts.sources.remote.files(user);
    };
    return this.#parts.lookups.one("files", user, "files", () =>
      this.#parts.cache === null
        ? load()
        : this.#parts.cache.tools.getOrFetch({ user, tool: "files" }, load),
    );
  }

  /** Guarded: the entry is dead before the row changes, and what the row becomes is stored. */
  async #writeBlock(key: ByName, text: string): Promise<void> {
    const write = () => this.#parts.sources.records.writeBlock(key, text);
    const { blocks } = this.#parts.cache ?? {};
    const { version } = await (blocks === undefined
      ? write()
      : this.#retried(() => blocks.write(key, write)));
    await this.#settle();
    this.#parts.sources.versions.raise("blocks", key.user, key.name, version);
  }

  async #changeGroup(key: ByName): Promise<void> {
    const write = () => this.#parts.sources.records.changeGroup(key);
    const { groups } = this.#parts.cache ?? {};
    const { version } = await (groups === undefined
      ? write()
      : this.#retried(() => groups.write(key, write)));
    await this.#settle();
    this.#parts.sources.versions.raise("groups", key.user, key.name, version);
  }

  /** In one process the cached agent is not told: `isValid` sees it. The cached list of agents is
   *  left out. */
  async #changePrompt(key: ByType): Promise<void> {
    const { records, versions } = this.#parts.sources;
    const change = async (): Promise<undefined> => {
      const { prompt, version } = await records.changePrompt(key);
      versions.setPrompt(key.user, key.type, prompt);
      changed = version;
    };
    let changed = 0;
    const list: ByTool = { user: key.user, tool: "agents" };
    const { tools } = this.#parts.cache ?? {};
    if (tools === undefined) await change();
    else await this.#retried(() => tools.write(list, change));
    if (this.#parts.isShared) this.#parts.cache?.agents.delete(key);
    await this.#settle();
    versions.raise("agents", key.user, key.type, changed);
  }

  /** The remote API has it first; then the cached history gets it too, over all threads at once. If
   *  the process dies between the two, the next one finds it noted as under way. */
  async #append(key: ByType, text: string): Promise<void> {
    const { records, remote, versions } = this.#parts.sources;
    const change = await records.begin(key.user);
    const sent = await remote.append(key, text);
    const history = this.#parts.cache?.history;
    const outcome = await history?.updateAsync(key, (cached) => {
      if (cached.version >= sent.id) return cached; // loaded meanwhile, with the message in it
      if (cached.version + 1 < sent.id) return undefined; // one before it is still on its way
      return { messages: lastOf([...cached.messages, sent]), version: sent.id };
    });
    // A load under way may have asked before the message was there: the delete keeps it out.
    if (outcome !== "stored") history?.delete(key);
    await this.#settle();
    await records.finish(change);
    versions.raise("history", key.user, key.type, sent.id);
  }

  /** Until no other process answers what was before. The threads of this one do not by now. */
  async #settle(): Promise<void> {
    const { cache, isShared } = this.#parts;
    if (isShared && cache !== null) await this.#retried(() => cache.cache.flush());
  }

  /** Tells others again if nobody could be told: the process that had the directory has ended, or
   *  the server is down. What is written twice has one more version. */
  async #retried<T>(tell: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await tell();
      } catch (error) {
        if ((error as { code?: unknown }).code !== "ERR_TIER") throw error;
        if (attempt === attemptsMax) throw error;
        this.retries++;
        await sleep(retryMs);
      }
    }
  }

  /** A user begins anew, in every source and every namespace. */
  async #forget(user: number): Promise<void> {
    const { records, remote, versions } = this.#parts.sources;
    const change = await records.begin(user);
    const files = await remote.forget(user);
    const changed = await records.forget(user);
    this.#parts.cache?.cache.deleteByTag(tagOf(user));
    await this.#settle();
    await records.finish(change);
    versions.raise("files", user, "files", files.version);
    for (const type of agentTypes) {
      versions.raise("history", user, type, files.version * historyStep);
    }
    for (const kind of ["agents", "groups", "blocks"] as const) {
      for (const [name, version] of changed[kind]) versions.raise(kind, user, name, version);
    }
  }
}
