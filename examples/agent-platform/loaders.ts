// How each kind is read from its sources: what the service calls without the cache, and what the
// cache calls on a miss.
import type { AgentRecord, ByType, RecordSource } from "./records.js";
import type { History } from "./remote-api.js";
import type { KnowledgeFiles, Remote, RemoteAgent } from "./remote.js";
import type { LookupKind } from "./lookups.js";
import type { VersionBook } from "./versions.js";

export type Agent = AgentRecord & RemoteAgent;

/** What a thread has of its own: its connections, and what the check and `isValid` know. */
export interface Sources {
  readonly records: RecordSource;
  readonly remote: Remote;
  readonly versions: VersionBook;
  /** Told by every loader: how many keys of a kind it is called for. */
  readonly loaded: (kind: LookupKind, keys: number) => void;
}

export async function loadAgent(
  { records, remote, loaded }: Sources,
  key: ByType,
  signal?: AbortSignal,
): Promise<Agent> {
  loaded("agents", 1);
  const record = await records.agent(key); // first: what is read after it may only be newer
  return { ...record, ...(await remote.agent(key, signal)) };
}

/** Many agents by one call of the remote API. */
export async function loadAgents(
  { records, remote }: Sources,
  keys: readonly ByType[],
): Promise<[ByType, Agent][]> {
  const rows = await records.agentsOfMany([...new Set(keys.map(({ user }) => user))]);
  const rowOf = ({ user, type }: ByType) => rows.get(user)?.find((row) => row.type === type);
  const described = await remote.batch<RemoteAgent>(keys.map(pathOf("agents")));
  return keys.map((key, index) => [
    key,
    { ...(rowOf(key) as AgentRecord), ...(described[index] as RemoteAgent) },
  ]);
}

export async function loadHistories(
  { remote }: Sources,
  keys: readonly ByType[],
): Promise<[ByType, History][]> {
  const found = await remote.batch<History>(keys.map(pathOf("messages")));
  return keys.map((key, index) => [key, found[index] as History]);
}

export async function loadFiles(
  { remote }: Sources,
  users: readonly number[],
): Promise<KnowledgeFiles[]> {
  return remote.batch<KnowledgeFiles>(users.map((user) => `/files/${user}`));
}

function pathOf(kind: string): (key: ByType) => string {
  return ({ user, type }) => `/${kind}/${user}/${type}`;
}
