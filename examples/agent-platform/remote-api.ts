// Stands for the remote API of the platform: an HTTP server that takes 20 to 80 ms for a call and
// counts calls by kind. It has the agents' descriptions, the histories and the users' files; what
// can change has a version. Runs in the process that measures, so it outlives the service.
import { LocalServer } from "./local-server.js";

export interface Message {
  readonly id: number;
  readonly text: string;
}
export interface History {
  readonly messages: readonly Message[];
  readonly version: number;
}

const historyLength = 20;

export class RemoteApi extends LocalServer {
  /** Calls by method and kind, such as "GET agents". */
  readonly calls = new Map<string, number>();
  readonly #histories = new Map<string, History>();
  readonly #forgotten = new Map<string, number>();
  #random = 12_345;

  constructor() {
    super((request, response) => {
      const { method = "", url = "" } = request;
      let body = "";
      request.setEncoding("utf8");
      request.on("data", (part: string) => (body += part));
      request.on("end", () => {
        if (url === "/versions") return void response.end(JSON.stringify(this.#versions()));
        const kind = `${method} ${url.split("/")[1]}`;
        this.calls.set(kind, (this.calls.get(kind) ?? 0) + 1);
        // What is answered is what was true half-way.
        const half = this.#delayMs() / 2;
        setTimeout(() => {
          const answer = JSON.stringify(this.#answer(method, url, body));
          setTimeout(() => response.end(answer), half);
        }, half);
      });
    });
  }

  /** All calls, but those of the check. */
  counted(): number {
    return [...this.calls.values()].reduce((all, calls) => all + calls, 0);
  }

  #delayMs(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return 20 + (60 * this.#random) / 2 ** 32;
  }

  #answer(method: string, url: string, body: string): unknown {
    const [, kind, user = "", type = ""] = url.split("/");
    if (kind === "batch") {
      return (JSON.parse(body) as string[]).map((each) => this.#answer("GET", each, ""));
    }
    if (kind === "agents") return describe(user, type);
    if (kind === "messages") {
      return method === "POST" ? this.#append(user, type, body) : this.#history(user, type);
    }
    if (kind === "users") this.#forgotten.set(user, this.#timesForgotten(user) + 1);
    return { files: ["notes.md", "plan.md"], version: this.#timesForgotten(user) };
  }

  /** Forgetting a user counts as a million appends, so that versions only grow. */
  #history(user: string, type: string): History {
    const key = `${user}/${type}`;
    const version = this.#timesForgotten(user) * 1_000_000;
    const history = this.#histories.get(key);
    if (history !== undefined && history.version >= version) return history;
    const messages = Array.from({ length: historyLength }, (_, id) => ({
      id: version - historyLength + id + 1,
      text: `message ${id} of ${key} `.repeat(5),
    }));
    const first = { messages, version };
    this.#histories.set(key, first);
    return first;
  }

  #append(user: string, type: string, text: string): Message {
    const { messages, version } = this.#history(user, type);
    const message = { id: version + 1, text };
    const history = { messages: lastOf([...messages, message]), version: message.id };
    this.#histories.set(`${user}/${type}`, history);
    return message;
  }

  #timesForgotten(user: string): number {
    return this.#forgotten.get(user) ?? 0;
  }

  #versions(): { histories: [string, number][]; forgotten: [string, number][] } {
    const histories = [...this.#histories].map(
      ([key, { version }]) => [key, version] as [string, number],
    );
    return { histories, forgotten: [...this.#forgotten] };
  }
}

/** A history keeps this many messages. */
export function lastOf(messages: readonly Message[]): readonly Message[] {
  return messages.slice(-historyLength);
}

function describe(user: string, type: string): unknown {
  const tools = ["send_message", "recall_search", "archival_search", "list_files", "schedule"];
  return { name: `${type} of ${user}`, tools, description: `A ${type}. `.repeat(30) };
}
