// Answers operators over the sockets that connect to a cache. Made by the opener, on whose event
// loop it runs: it costs nothing until somebody asks, and a loop that is blocked does not answer,
// which the asking side tells. Invariants: at most clientsMax connections; each has at most one
// question waiting, one answer not yet read and questionBytesMax bytes of a question begun; what
// breaks these rules, or says nothing for idleMs, is disconnected. Nothing here throws.
import type { Socket } from "node:net";
import { clearTimeout, elapsedMs, setTimeout } from "../base/mod.js";
import {
  type Answer,
  type KeyAnswer,
  type KeyQuestion,
  type Question,
  protocolVersion,
  questionBytesMax,
  questionIn,
  type Refusal,
  type Sample,
} from "./protocol.js";

export const clientsMax = 8;
/** Milliseconds between two answers on one connection. */
const answerEveryMs = 250;
/** Milliseconds without a question until a connection is ended. */
const idleMs = 60_000;

/** Who knows the answers. */
export interface Answerer {
  /** Throws if the cache is closing. */
  sample(question: Question): Sample;
  /** Rejects if the cache is closing. */
  key(question: KeyQuestion): Promise<KeyAnswer | Refusal>;
}

export class Answering {
  readonly #answerer: Answerer;
  readonly #clients = new Set<Client>();

  constructor(answerer: Answerer) {
    this.#answerer = answerer;
  }

  readonly accept = (socket: Socket): void => {
    // The cache does not keep its process alive for those who look at it.
    socket.unref();
    socket.on("error", () => undefined);
    if (this.#clients.size >= clientsMax) {
      socket.end(lineOf({ v: protocolVersion, error: `${clientsMax} others are connected` }));
      socket.destroySoon();
      return;
    }
    const client = new Client(socket, this.#answerer);
    this.#clients.add(client);
    socket.once("close", () => {
      client.end();
      this.#clients.delete(client);
    });
  };

  /** Ends all connections. */
  close(): void {
    for (const client of this.#clients) client.end();
    this.#clients.clear();
  }
}

class Client {
  readonly #socket: Socket;
  readonly #answerer: Answerer;
  #begun = "";
  #answeredMs = -Infinity;
  #timer: NodeJS.Timeout;
  #isWaiting = false;

  constructor(socket: Socket, answerer: Answerer) {
    this.#socket = socket;
    this.#answerer = answerer;
    this.#timer = this.#after(idleMs, () => this.end());
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#read(text));
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }

  #after(ms: number, run: () => void): NodeJS.Timeout {
    return setTimeout(run, ms).unref();
  }

  #read(text: string): void {
    const lines = (this.#begun + text).split("\n");
    this.#begun = lines.pop() ?? "";
    // One question at a time, and an answer is read before the next is asked for.
    const isTooMuch = lines.length > 1 || (lines.length > 0 && this.#isWaiting);
    if (isTooMuch || this.#begun.length > questionBytesMax || this.#socket.writableLength > 0) {
      this.#refuse("one question at a time, of at most 4 KiB, each after the answer before it");
      return;
    }
    const [line] = lines;
    if (line === undefined) return;
    const question = questionIn(line);
    if (typeof question === "string") this.#refuse(question);
    else this.#schedule(question);
  }

  #schedule(question: Question | KeyQuestion): void {
    clearTimeout(this.#timer);
    this.#isWaiting = true;
    const waitMs = this.#answeredMs + answerEveryMs - elapsedMs();
    if (waitMs <= 0) void this.#answer(question);
    else this.#timer = this.#after(waitMs, () => void this.#answer(question));
  }

  async #answer(question: Question | KeyQuestion): Promise<void> {
    let answer: Answer;
    try {
      const of = this.#answerer;
      answer = "act" in question ? await of.key(question) : of.sample(question);
    } catch {
      this.end(); // the cache is closing
      return;
    }
    // It may have broken the rules, or gone, while a key was looked up.
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    this.#isWaiting = false;
    this.#answeredMs = elapsedMs();
    this.#timer = this.#after(idleMs, () => this.end());
    this.#socket.write(lineOf(answer));
  }

  #refuse(error: string): void {
    clearTimeout(this.#timer);
    this.#socket.removeAllListeners("data");
    this.#socket.end(lineOf({ v: protocolVersion, error }));
    this.#socket.destroySoon();
  }
}

function lineOf(answer: Answer): string {
  return `${JSON.stringify(answer)}\n`;
}
