// The service's records in SQLite: agents, groups and memory blocks, each with a version that every
// change raises, and the list of changes under way. Counts its reads.
import { openSql, type Row, type Sql } from "./sql.js";

export const agentTypes = ["helper", "planner", "archivist"] as const;
export const groupNames = ["main", "research"] as const;
export const blockNames = ["persona", "human", "scratch"] as const;

export interface ByType {
  readonly user: number;
  readonly type: string;
}
export interface ByName {
  readonly user: number;
  readonly name: string;
}

export interface AgentRecord {
  readonly type: string;
  /** The number of its system prompt. */
  readonly prompt: number;
  readonly version: number;
}
export interface Group {
  readonly members: readonly string[];
  readonly version: number;
}
export interface Block {
  readonly text: string;
  readonly version: number;
}

const schema = `
  CREATE TABLE IF NOT EXISTS agents
    (user INT, name TEXT, prompt INT, version INT, PRIMARY KEY (user, name)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS groups
    (user INT, name TEXT, members TEXT, version INT, PRIMARY KEY (user, name)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS blocks
    (user INT, name TEXT, text TEXT, version INT, PRIMARY KEY (user, name)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS under_way (id INTEGER PRIMARY KEY, user INT);`;

type Methods = Pick<
  Records,
  | "agent"
  | "agentsOf"
  | "agentsOfMany"
  | "group"
  | "groups"
  | "blocks"
  | "writeBlock"
  | "changeGroup"
  | "changePrompt"
  | "forget"
  | "begin"
  | "finish"
  | "takeUnfinished"
>;
/** What the platform asks of the records: the database itself, or a server that has it. */
export type RecordSource = {
  readonly [Name in keyof Methods]: (
    ...args: Parameters<Methods[Name]>
  ) => ReturnType<Methods[Name]> | Promise<ReturnType<Methods[Name]>>;
};

export class Records {
  /** Queries that have read records. */
  reads = 0;
  readonly #sql: Sql;

  private constructor(sql: Sql) {
    this.#sql = sql;
  }

  static async open(path: string): Promise<Records> {
    return new Records(await openSql(path));
  }

  get library(): string {
    return this.#sql.library;
  }

  close(): void {
    this.#sql.close();
  }

  seed(users: number): void {
    this.#sql.exec(`${schema} BEGIN`);
    for (let user = 0; user < users; user++) {
      for (const type of agentTypes) {
        this.#sql.all("INSERT INTO agents VALUES (?, ?, 0, 0)", user, type);
      }
      for (const name of groupNames) {
        this.#sql.all("INSERT INTO groups VALUES (?, ?, ?, 0)", user, name, agentTypes.join());
      }
      for (const name of blockNames) {
        const text = `${name} of user ${user}. `.repeat(20);
        this.#sql.all("INSERT INTO blocks VALUES (?, ?, ?, 0)", user, name, text);
      }
    }
    this.#sql.exec("COMMIT");
  }

  agent({ user, type }: ByType): AgentRecord {
    const [row] = this.#read("SELECT * FROM agents WHERE user = ? AND name = ?", user, type);
    return agentOf(row);
  }

  /** All agents of many users, by user. */
  agentsOfMany(users: readonly number[]): Map<number, AgentRecord[]> {
    const found = new Map(users.map((user) => [user, [] as AgentRecord[]]));
    const rows = this.#read(`SELECT * FROM agents WHERE user IN (${users.join()})`);
    for (const row of rows) found.get(row["user"] as number)?.push(agentOf(row));
    return found;
  }

  agentsOf(user: number): AgentRecord[] {
    return this.#read("SELECT * FROM agents WHERE user = ?", user).map(agentOf);
  }

  group({ user, name }: ByName): Group {
    return groupOf(this.#read("SELECT * FROM groups WHERE user = ? AND name = ?", user, name)[0]);
  }

  /** One query for many, in the order of the keys. */
  groups(keys: readonly ByName[]): Group[] {
    return this.#named("groups", keys).map(groupOf);
  }

  blocks(keys: readonly ByName[]): Block[] {
    return this.#named("blocks", keys).map(blockOf);
  }

  #named(table: string, keys: readonly ByName[]): (Row | undefined)[] {
    const wanted = keys.map(({ user, name }) => `(${user},'${name}')`).join();
    const rows = this.#read(`SELECT * FROM ${table} WHERE (user, name) IN (VALUES ${wanted})`);
    const found = new Map(
      rows.map((row) => [`${String(row["user"])}:${String(row["name"])}`, row]),
    );
    return keys.map(({ user, name }) => found.get(`${user}:${name}`));
  }

  /** Every record's version, for the check. Not counted: the service does not ask this. */
  versions(table: "agents" | "groups" | "blocks"): (ByName & AgentRecord)[] {
    return this.#sql.all(`SELECT * FROM ${table}`).map((row) => ({
      user: row["user"] as number,
      name: row["name"] as string,
      type: row["name"] as string,
      prompt: (row["prompt"] ?? 0) as number,
      version: row["version"] as number,
    }));
  }

  writeBlock({ user, name }: ByName, text: string): Block {
    const change = "text = ?, version = version + 1 WHERE user = ? AND name = ?";
    return blockOf(this.#sql.all(`UPDATE blocks SET ${change} RETURNING *`, text, user, name)[0]);
  }

  changeGroup({ user, name }: ByName): Group {
    const change = "version = version + 1 WHERE user = ? AND name = ?";
    return groupOf(this.#sql.all(`UPDATE groups SET ${change} RETURNING *`, user, name)[0]);
  }

  changePrompt({ user, type }: ByType): AgentRecord {
    const change = "prompt = prompt + 1, version = version + 1 WHERE user = ? AND name = ?";
    return agentOf(this.#sql.all(`UPDATE agents SET ${change} RETURNING *`, user, type)[0]);
  }

  /** The user begins anew: every record of theirs has a new version. Answers the versions. */
  forget(user: number): Record<"agents" | "groups" | "blocks", Map<string, number>> {
    const raise = (table: string): Map<string, number> => {
      const change = `UPDATE ${table} SET version = version + 1 WHERE user = ? RETURNING *`;
      const rows = this.#sql.all(change, user);
      return new Map(rows.map((row) => [row["name"] as string, row["version"] as number]));
    };
    return { agents: raise("agents"), groups: raise("groups"), blocks: raise("blocks") };
  }

  /** Notes that something of a user is about to change at a source, until `finish`. */
  begin(user: number): number {
    const [row] = this.#sql.all("INSERT INTO under_way (user) VALUES (?) RETURNING id", user);
    return row?.["id"] as number;
  }

  finish(change: number): void {
    this.#sql.all("DELETE FROM under_way WHERE id = ?", change);
  }

  /** Takes the users with changes that a killed process has left under way. */
  takeUnfinished(): number[] {
    const rows = this.#sql.all("DELETE FROM under_way RETURNING user");
    return [...new Set(rows.map((row) => row["user"] as number))];
  }

  #read(sql: string, ...values: (string | number)[]): Row[] {
    this.reads++;
    return this.#sql.all(sql, ...values);
  }
}

function agentOf(row: Row | undefined): AgentRecord {
  const { name, ...record } = row as { name: string; prompt: number; version: number };
  return { type: name, prompt: record.prompt, version: record.version };
}

function groupOf(row: Row | undefined): Group {
  const { members, version } = row as { readonly members: string; readonly version: number };
  return { members: members.split(","), version };
}

function blockOf(row: Row | undefined): Block {
  const { text, version } = row as { readonly text: string; readonly version: number };
  return { text, version };
}
