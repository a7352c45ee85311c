// What the check knows: for each thing the version of the last change that has returned, in memory
// that all threads of the service share. A lookup notes the version before it begins; an answer
// with an older one is stale. Also the numbers of the agents' prompts, as the service knows them.
import { agentTypes, blockNames, groupNames, type Records } from "./records.js";
import type { Remote } from "./remote.js";

export type Kind = "agents" | "groups" | "blocks" | "history" | "files";
export const historyStep = 1_000_000;

const places: Record<Kind, { readonly first: number; readonly names: readonly string[] }> = {
  agents: { first: 0, names: agentTypes },
  groups: { first: 3, names: groupNames },
  blocks: { first: 5, names: blockNames },
  history: { first: 8, names: agentTypes },
  files: { first: 11, names: ["files"] },
};
export const versionsOfUser = 12;

interface Memory {
  readonly versions: SharedArrayBuffer;
  readonly prompts: SharedArrayBuffer;
}

/** What is read and told of versions, wherever they are kept. */
export interface VersionBook {
  of(kind: Kind, user: number, name: string): number;
  raise(kind: Kind, user: number, name: string, version: number): void;
  /** The number of an agent's prompt as the service knows it. */
  prompt(user: number, type: string): number;
  setPrompt(user: number, type: string, prompt: number): void;
}

export class Versions implements VersionBook {
  /** To post to another thread. */
  readonly memory: Memory;
  readonly #versions: Int32Array;
  readonly #prompts: Int32Array;

  constructor(memory: Memory) {
    this.memory = memory;
    this.#versions = new Int32Array(memory.versions);
    this.#prompts = new Int32Array(memory.prompts);
  }

  static forUsers(users: number): Versions {
    return new Versions({
      versions: new SharedArrayBuffer(users * versionsOfUser * 4),
      prompts: new SharedArrayBuffer(users * agentTypes.length * 4),
    });
  }

  of(kind: Kind, user: number, name: string): number {
    return Atomics.load(this.#versions, placeOf(kind, user, name));
  }

  /** A change has returned. Versions only grow, whichever thread comes first. */
  raise(kind: Kind, user: number, name: string, version: number): void {
    const place = placeOf(kind, user, name);
    for (;;) {
      const known = Atomics.load(this.#versions, place);
      if (known >= version) return;
      if (Atomics.compareExchange(this.#versions, place, known, version) === known) return;
    }
  }

  prompt(user: number, type: string): number {
    return Atomics.load(this.#prompts, placeOfPrompt(user, type));
  }

  /** Prompts only grow too. */
  setPrompt(user: number, type: string, prompt: number): void {
    const place = placeOfPrompt(user, type);
    for (;;) {
      const known = Atomics.load(this.#prompts, place);
      if (known >= prompt) return;
      if (Atomics.compareExchange(this.#prompts, place, known, prompt) === known) return;
    }
  }
}

/** Takes what the sources have, before the service begins: the changes that had returned before it
 *  was killed, and those that had not but were made. */
export async function readVersions(
  book: VersionBook,
  records: Records,
  remote: Remote,
): Promise<void> {
  for (const kind of ["agents", "groups", "blocks"] as const) {
    for (const { user, name, prompt, version } of records.versions(kind)) {
      book.raise(kind, user, name, version);
      if (kind === "agents") book.setPrompt(user, name, prompt);
    }
  }
  const { histories, forgotten } = await remote.versions();
  for (const [name, version] of forgotten) {
    book.raise("files", Number(name), "files", version);
    for (const type of agentTypes) {
      book.raise("history", Number(name), type, version * historyStep);
    }
  }
  for (const [key, version] of histories) {
    const [user = "", type = ""] = key.split("/");
    book.raise("history", Number(user), type, version);
  }
}

export function placeOf(kind: Kind, user: number, name: string): number {
  const { first, names } = places[kind];
  return user * versionsOfUser + first + names.indexOf(name);
}

function placeOfPrompt(user: number, type: string): number {
  return user * agentTypes.length + (agentTypes as readonly string[]).indexOf(type);
}
