// The cache of the platform: one memory and one directory for all threads, a namespace for each
// kind. Opened by service.ts, attached by service-thread.ts; each thread brings its own loaders.
import { attachCache, type Cache, type CacheHandle, openCache, type Tier } from "undercroft";

import {
  type Agent,
  loadAgent,
  loadAgents,
  loadFiles,
  loadHistories,
  type Sources,
} from "./loaders.js";
import {
  type AgentRecord,
  agentTypes,
  type Block,
  blockNames,
  type ByName,
  type ByType,
  type Group,
  groupNames,
} from "./records.js";
import type { History } from "./remote-api.js";
import type { KnowledgeFiles } from "./remote.js";

export interface ByTool {
  readonly user: number;
  readonly tool: "files" | "agents";
}

export type PatternCache = ReturnType<typeof namespacesOf>;

export interface Place {
  readonly directory: string;
  /** Other processes have the directory too. */
  readonly isShared?: boolean;
  /** What all hosts share. */
  readonly tier?: Tier;
}

export async function openPatternCache(place: Place, sources: Sources): Promise<PatternCache> {
  const { directory: path, isShared = false, tier } = place;
  const isAlone = !isShared && tier === undefined;
  const cache = await openCache({
    name: "patterns",
    memory: "64mb",
    disk: {
      path,
      capacity: "128mb",
      ...(isAlone ? { preload: "32mb" as const } : {}),
      ...(isShared ? { share: "host" as const } : {}),
    },
    ...(tier === undefined ? {} : { tiers: [tier] }),
    version: "agents-1", // what another version of the service has stored is never served
    on: { error: ({ error }) => console.error(error.message) },
  });
  // Changes that a killed process had begun may have reached a source and not the cache.
  // What others have under way is theirs.
  const users = isAlone ? await sources.records.takeUnfinished() : [];
  for (const user of users) cache.deleteByTag(tagOf(user));
  return namespacesOf(cache, sources, isAlone);
}

export function attachPatternCache(handle: CacheHandle, sources: Sources): PatternCache {
  return namespacesOf(attachCache(handle), sources, true);
}

/** The tag of everything that is a user's, in all namespaces. */
export function tagOf(user: number): string {
  return `user:${user}`;
}

/** Alone, the service knows each prompt, and each kind may have a share of the directory. */
function namespacesOf(cache: Cache, sources: Sources, isAlone: boolean) {
  const { records, remote, versions, loaded } = sources;
  const share = isAlone ? { memory: 0.2, disk: 0.2 } : { memory: 0.2 };
  const tags = ({ user }: { readonly user: number }): string[] => [tagOf(user)];

  const agents = cache.namespace<Agent, ByType>("agents", {
    ...share, // lent to others while it does not use it
    key: ({ user, type }) => `${user}:${type}`,
    tags,
    ttl: "7d",
    load: ({ key, signal }) => loadAgent(sources, key, signal),
    // Whoever changes a prompt need not know what was made with the old one.
    isValid: ({ prompt }, { key }) => !isAlone || prompt === versions.prompt(key.user, key.type),
  });

  const groups = cache.namespace<Group, ByName>("groups", {
    key: ({ user, name }) => `${user}:${name}`,
    tags,
    ttl: "7d",
    loadMany: async ({ keys }) => {
      loaded("groups", keys.length);
      return inOrder(keys, await records.groups(keys));
    },
  });

  const blocks = cache.namespace<Block, ByName>("blocks", {
    key: ({ user, name }) => `${user}:${name}`,
    tags,
    ttl: "1d",
    // The blocks that a message misses are one query.
    loadMany: async ({ keys }) => {
      loaded("blocks", keys.length);
      return inOrder(keys, await records.blocks(keys));
    },
    revision: ({ version }) => version, // an older row never takes the place of a newer one
  });

  const history = cache.namespace<History, ByType>("history", {
    ...share,
    key: ({ user, type }) => `${user}:${type}`,
    tags,
    // Appends keep it right, so it may live long, and what is read all the time never expires.
    ttl: "1h",
    refreshAfter: "30m",
    load: ({ key, signal }) => {
      loaded("history", 1);
      return remote.history(key, signal);
    },
  });

  const tools = cache.namespace<KnowledgeFiles | readonly AgentRecord[], ByTool>("tools", {
    key: ({ user, tool }) => `${user}:${tool}`,
    tags,
    ttl: "5m",
    jitter: 0.1,
  });

  return { cache, agents, groups, blocks, history, tools };
}

/** Loads what the most active users need, before they come; what is there already is left alone. */
export async function warm(
  { agents, groups, blocks, history, tools }: PatternCache,
  sources: Sources,
  users: readonly number[],
): Promise<void> {
  const byType = users.flatMap((user) => agentTypes.map((type) => ({ user, type })));
  const byName = (names: readonly string[]): ByName[] =>
    users.flatMap((user) => names.map((name) => ({ user, name })));
  const byTool = (tool: ByTool["tool"]): ByTool[] => users.map((user) => ({ user, tool }));
  await agents.warm(byType, { loadMany: ({ keys }) => loadAgents(sources, keys) });
  await history.warm(byType, { loadMany: ({ keys }) => loadHistories(sources, keys) });
  await groups.warm(byName(groupNames));
  await blocks.warm(byName(blockNames));
  await tools.warm(byTool("agents"), {
    loadMany: async ({ keys }) => {
      const rows = await sources.records.agentsOfMany(keys.map(({ user }) => user));
      return keys.map((key) => [key, rows.get(key.user)] as const);
    },
  });
  await tools.warm(byTool("files"), {
    loadMany: async ({ keys }) => {
      const users = keys.map(({ user }) => user);
      return inOrder(keys, await loadFiles(sources, users));
    },
  });
}

/** Pairs of keys and what was found for them, in their order. */
function inOrder<K, V>(keys: readonly K[], found: readonly V[]): (readonly [K, V | undefined])[] {
  return keys.map((key, index) => [key, found[index]] as const);
}
