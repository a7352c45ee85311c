// The client of the remote API.
import type { ByType } from "./records.js";
import type { History, Message } from "./remote-api.js";

export interface RemoteAgent {
  readonly name: string;
  readonly tools: readonly string[];
  readonly description: string;
}
export interface KnowledgeFiles {
  readonly files: readonly string[];
  readonly version: number;
}
export interface RemoteVersions {
  readonly histories: readonly (readonly [string, number])[];
  readonly forgotten: readonly (readonly [string, number])[];
}

export class Remote {
  readonly #address: string;

  constructor(port: number) {
    this.#address = `http://127.0.0.1:${port}`;
  }

  agent({ user, type }: ByType, signal?: AbortSignal): Promise<RemoteAgent> {
    return this.#call("GET", `/agents/${user}/${type}`, undefined, signal);
  }

  history({ user, type }: ByType, signal?: AbortSignal): Promise<History> {
    return this.#call("GET", `/messages/${user}/${type}`, undefined, signal);
  }

  files(user: number, signal?: AbortSignal): Promise<KnowledgeFiles> {
    return this.#call("GET", `/files/${user}`, undefined, signal);
  }

  /** Many of the above in one call. */
  batch<Answer>(paths: readonly string[]): Promise<Answer[]> {
    return this.#call("POST", "/batch", JSON.stringify(paths));
  }

  append({ user, type }: ByType, text: string): Promise<Message> {
    return this.#call("POST", `/messages/${user}/${type}`, text);
  }

  /** Answers the new version of the user's files; histories have a million times that. */
  forget(user: number): Promise<KnowledgeFiles> {
    return this.#call("DELETE", `/users/${user}`);
  }

  versions(): Promise<RemoteVersions> {
    return this.#call("GET", "/versions");
  }

  async #call<Answer>(
    method: string,
    path: string,
    body?: string,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const response = await fetch(`${this.#address}${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
    return (await response.json()) as Answer;
  }
}
