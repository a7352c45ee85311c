// The cache of an agent platform as its team would write it, from beginning to end: a fixture of
// types, which platform-cache.test.ts compiles as a project of a user. It is not run.
import { openCache } from "undercroft";
import { collect } from "undercroft/prometheus";

export interface CachedAgent {
  readonly remoteId: string;
  readonly systemPromptHash: string;
  readonly lastAccessed: Date;
}
export interface CachedGroup {
  readonly agentIds: readonly string[];
}
export interface CachedMemoryBlock {
  readonly blockValue: string;
  readonly revision: number;
}
export interface Message {
  readonly id: string;
  readonly text: string;
}

type ByType = { user: number; type: string };
type ByName = { user: number; name: string };

export interface Db {
  agent(user: number, type: string): { readonly remoteAgentId: string };
  agentsOf(this: void, user: number): readonly string[];
  promptOf(type: string): string;
  group(user: number, name: string): CachedGroup | undefined;
  blocks(keys: readonly ByName[]): Map<ByName, CachedMemoryBlock>;
  updateBlock(user: number, name: string, value: string): CachedMemoryBlock;
  activeUsers(limit: number): readonly { readonly id: number }[];
}

interface Wait {
  readonly signal: AbortSignal;
}
export interface Remote {
  agent(id: string, wait: Wait): Promise<CachedAgent>;
  createGroup(user: number, name: string, wait: Wait): Promise<CachedGroup>;
  messages(id: string, options: Wait & { readonly limit: number }): Promise<Message[]>;
  listKnowledgeFiles(this: void, user: number): Promise<readonly string[]>;
}

type Log = (this: void, what: unknown) => void;

declare function hashString(text: string): string;

export async function openPatternCache(dir: string, db: Db, remote: Remote, log: Log) {
  const cache = await openCache({
    name: "patterns",
    memory: "320mb",
    disk: { path: dir, capacity: "1152mb" },
    version: "2026-11",
    on: {
      recovered: ({ reason }) => log(reason),
      "tier-down": ({ error }) => log(error),
    },
  });

  const agents = cache.namespace<CachedAgent, ByType>("agents", {
    memory: "64mb",
    disk: "256mb",
    key: ({ user, type }) => `u${user}:a:${type}`,
    tags: ({ user }) => [`u${user}`],
    ttl: "7d",
    staleFor: "1d",
    load: async ({ key, signal }) =>
      remote.agent(db.agent(key.user, key.type).remoteAgentId, { signal }),
    isValid: (agent, { key }) => agent.systemPromptHash === hashString(db.promptOf(key.type)),
  });
  const groups = cache.namespace<CachedGroup, ByName>("groups", {
    memory: "32mb",
    disk: "128mb",
    ttl: "7d",
    key: ({ user, name }) => `u${user}:g:${name}`,
    tags: ({ user }) => [`u${user}`],
    load: async ({ key, signal }) =>
      db.group(key.user, key.name) ?? remote.createGroup(key.user, key.name, { signal }),
  });
  const blocks = cache.namespace<CachedMemoryBlock, ByName>("blocks", {
    memory: "128mb",
    disk: "512mb",
    ttl: "1d",
    key: ({ user, name }) => `u${user}:m:${name}`,
    tags: ({ user }) => [`u${user}`],
    loadMany: async ({ keys }) => db.blocks(keys),
    revision: (block) => block.revision,
  });
  const history = cache.namespace<Message[], string>("history", {
    memory: "64mb",
    disk: "256mb",
    ttl: "1h",
    key: (agentId) => `msg:${agentId}`,
    load: async ({ key, signal }) => remote.messages(key, { limit: 20, signal }),
  });
  const tools = cache.namespace("tools", { memory: "16mb", ttl: "5m", negativeTtl: "30s" });

  return {
    cache,
    agent: (user: number, type: string) => agents.getOrFetch({ user, type }),
    group: (user: number, name: string) => groups.fetch({ user, name }),
    blocksOf: (user: number, names: string[]) =>
      blocks.fetchMany(names.map((name) => ({ user, name }))),
    history: (agentId: string) => history.fetch(agentId),
    listKnowledgeFiles: tools.wrap(remote.listKnowledgeFiles, {
      key: (user) => `u${user}:t:list_knowledge_files`,
    }),
    agentsOf: tools.wrap(db.agentsOf, { key: (user) => `u${user}:q:agents`, ttl: "1m" }),
    updateBlock: (user: number, name: string, value: string) =>
      blocks.write({ user, name }, async () => db.updateBlock(user, name, value)),
    append: (agentId: string, message: Message) =>
      history.update(agentId, (messages) => [...messages, message].slice(-20)),
    agentChanged: (user: number, type: string) => agents.delete({ user, type }),
    forgetUser: (user: number) => cache.deleteByTag(`u${user}`),
    warm: () =>
      agents.warm(
        db.activeUsers(1000).map(({ id }) => ({ user: id, type: "helper" })),
        { concurrency: 32, ifAbsent: true, onProgress: log },
      ),
    metrics: () => collect([cache]),
    handle: () => cache.handle(),
    close: () => cache.close(),
  };
}

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <T extends true>(): T => true as T;

/** What its users get. */
export async function use(patterns: Awaited<ReturnType<typeof openPatternCache>>): Promise<void> {
  const agent = await patterns.agent(7, "helper");
  const blocks = await patterns.blocksOf(7, ["persona"]);
  const files = await patterns.listKnowledgeFiles(7);
  const block = await patterns.updateBlock(7, "persona", "kind");
  same<Same<typeof agent, CachedAgent | undefined>>();
  same<Same<typeof blocks, Map<ByName, CachedMemoryBlock>>>();
  same<Same<typeof files, readonly string[]>>();
  same<Same<typeof block, CachedMemoryBlock>>();
}
