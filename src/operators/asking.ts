// The asking side of a connection to a running cache: a question at a time. Called by the commands
// for operators. Invariant: an answer is at most answerBytesMax bytes, or the connection ends.
import { once } from "node:events";
import net from "node:net";
import { clearTimeout, setTimeout } from "../base/mod.js";
import {
  type Answer,
  answerBytesMax,
  answerIn,
  type KeyAnswer,
  type KeyQuestion,
  type Question,
  type Refusal,
  type Sample,
} from "./protocol.js";

/** Milliseconds until a connection counts as refused. */
const connectTimeoutMs = 5000;

/** Why a cache does not answer: "closed" if the connection has ended, "silent" if it takes too
 *  long, "garbage" if what came is no answer. */
export class NoAnswer extends Error {
  readonly kind: "closed" | "silent" | "garbage";

  constructor(kind: NoAnswer["kind"]) {
    super(`no answer: ${kind}`);
    this.kind = kind;
  }
}

export class Connection {
  readonly #socket: net.Socket;
  #begun = "";
  #settle: ((line: string | NoAnswer) => void) | undefined;
  #isOver = false;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#read(text));
    socket.on("error", () => undefined);
    socket.once("close", () => {
      this.#isOver = true;
      this.#settle?.(new NoAnswer("closed"));
    });
  }

  /** Rejects with the system's error, such as ECONNREFUSED or EACCES. */
  static async to(address: string): Promise<Connection> {
    const socket = net.connect({ path: address });
    const late = setTimeout(() => socket.destroy(new NoAnswer("silent")), connectTimeoutMs);
    try {
      await once(socket, "connect");
    } finally {
      clearTimeout(late);
    }
    return new Connection(socket);
  }

  /** Rejects with NoAnswer. One that is only late may still come: the next `ask` takes it. */
  async ask(question: Question, timeoutMs: number): Promise<Sample | Refusal> {
    const answer = await this.#ask(question, timeoutMs);
    if ("error" in answer || "stats" in answer) return answer;
    throw this.#garbage();
  }

  /** The same for a key. */
  async askOfKey(question: KeyQuestion, timeoutMs: number): Promise<KeyAnswer | Refusal> {
    const answer = await this.#ask(question, timeoutMs);
    if ("error" in answer || "outcome" in answer) return answer;
    throw this.#garbage();
  }

  async #ask(question: Question | KeyQuestion, timeoutMs: number): Promise<Answer> {
    if (this.#isOver) throw new NoAnswer("closed");
    const isLate = this.#settle !== undefined;
    const line = await new Promise<string | NoAnswer>((resolve) => {
      const late = setTimeout(() => resolve(new NoAnswer("silent")), timeoutMs);
      this.#settle = (answer) => {
        clearTimeout(late);
        this.#settle = undefined;
        resolve(answer);
      };
      if (!isLate) this.#socket.write(`${JSON.stringify(question)}\n`);
    });
    if (typeof line !== "string") throw line;
    const answer = answerIn(line);
    if (answer !== undefined) return answer;
    throw this.#garbage();
  }

  #garbage(): NoAnswer {
    this.end();
    return new NoAnswer("garbage");
  }

  end(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    const lines = (this.#begun + text).split("\n");
    this.#begun = lines.pop() ?? "";
    const [line] = lines;
    if (this.#begun.length > answerBytesMax) this.#settle?.(new NoAnswer("garbage"));
    if (this.#begun.length > answerBytesMax) this.end();
    else if (line !== undefined) this.#settle?.(line);
  }
}
