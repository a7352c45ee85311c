// A process's connection to the owner of its directory. Made by Attachment. Invariants: what the
// owner sends is taken in its order; the process may answer from its memory until leaseMs after a
// ping that the owner has answered, less a margin, so its lease ends before the owner thinks so.
import type { Socket } from "node:net";
import { clearInterval, clearTimeout, monotonicMs, setInterval, setTimeout } from "../base/mod.js";
import { ByteReader, ByteWriter, ProtocolFault } from "./wire/byte-stream.js";
import { type Frame, frameBytesMax, frameOf, FrameReader } from "./wire/frames.js";
import type { LeaseWords } from "./lease-words.js";
import { leaseMs } from "./member-session.js";
import { type End, kinds, protocolVersion, readChanges } from "./wire/wire-messages.js";
import { userId } from "./owner.js";

/** Milliseconds between two pings: three fit in a lease. */
export const pingMs: number = leaseMs / 4;
/** Two threads of a process read the clock up to this far apart. */
const marginMs = 50;
/** The most requests that wait for the owner; beyond, one fails at once. */
export const requestsMax = 65_536;
/** How long a request may take, unless it waits for other processes. */
export const requestMsMax = 5000;
/** How long the owner may take to say welcome. */
const welcomeMsMax = 5000;
const ticketMax = 2 ** 32 - 1;

/** The owner is gone, or did not answer. */
export class LineFault extends Error {}

interface Request {
  readonly kind: number;
  readonly startMs: number;
  readonly resolve: (body: Buffer) => void;
  readonly reject: (fault: Error) => void;
  readonly timer: NodeJS.Timeout | undefined;
}

/** What a line tells, in the order in which the owner did. */
export interface LineEvents {
  /** The process is a member now; nothing that it knew before counts. The line may be used. */
  readonly welcome: (line: OwnerLine) => void;
  /** Others have ended entries. When it returns, none of them is answered any more. */
  readonly ended: (ends: readonly End[]) => void;
  readonly freed: (key: Buffer) => void;
}

/** Why there is no line. */
export interface Refusal {
  readonly reason: string;
  /** The owner does not take this process; else it has just ended. */
  readonly isRefused: boolean;
}

export class OwnerLine {
  readonly #socket: Socket;
  readonly #words: LeaseWords;
  readonly #events: LineEvents;
  readonly #reader = new FrameReader();
  readonly #requests = new Map<number, Request>();
  readonly #sentPings = new Map<number, number>();
  #ticket = 0;
  #seen = 0;
  #isMember = false;
  #isOver = false;
  #pings: NodeJS.Timeout | undefined;
  readonly #helloMs = monotonicMs();
  #begun: (outcome: OwnerLine | Refusal) => void = () => undefined;
  /** Resolves when the connection has ended. */
  readonly over: Promise<void>;
  /** The owner's process. */
  process = 0;
  /** The owner closes the directory in order, with all that it was told before. */
  isClosing = false;

  private constructor(socket: Socket, words: LeaseWords, events: LineEvents) {
    this.#socket = socket;
    this.#words = words;
    this.#events = events;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => undefined);
    this.over = new Promise((resolve) => {
      socket.on("close", () => {
        this.#end("the owner has gone");
        resolve();
      });
    });
  }

  /** Says hello. Resolves to the line once the owner has said welcome, or to why not. */
  static async begin(
    socket: Socket,
    words: LeaseWords,
    events: LineEvents,
  ): Promise<OwnerLine | Refusal> {
    const line = new OwnerLine(socket, words, events);
    const begun = new Promise<OwnerLine | Refusal>((resolve) => (line.#begun = resolve));
    const late = setTimeout(() => line.#end("the owner did not say welcome"), welcomeMsMax);
    const hello = new ByteWriter().u16(protocolVersion).f64(userId()).f64(process.pid);
    socket.write(frameOf(kinds.hello, 0, hello.end()));
    const outcome = await begun;
    clearTimeout(late);
    return outcome;
  }

  #receive(chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#reader.push(chunk, (frame) => {
        if (!this.#isOver) this.#take(frame);
      });
    } catch (error) {
      if (!(error instanceof ProtocolFault)) throw error;
      this.#end(`the owner does not speak this protocol: ${error.message}`, true);
    }
  }

  #take({ kind, ticket, body }: Frame): void {
    const reader = new ByteReader(body);
    switch (kind) {
      case kinds.welcome:
        this.#welcome(reader);
        return;
      case kinds.refused:
        this.#end(reader.text(), true);
        return;
      case kinds.pong: {
        const sentMs = this.#sentPings.get(ticket);
        this.#sentPings.delete(ticket);
        if (sentMs !== undefined) this.#words.extend(sentMs + leaseMs - marginMs);
        return;
      }
      case kinds.ended: {
        const number = reader.f64();
        this.#events.ended(readChanges(reader).filter((change) => change.kind !== "set"));
        this.#hasSeen(number);
        return;
      }
      case kinds.closing: {
        const number = reader.f64();
        this.isClosing = true;
        this.#words.end();
        this.#sentPings.clear();
        clearInterval(this.#pings);
        this.#hasSeen(number);
        return;
      }
      case kinds.freed:
        this.#events.freed(reader.bytes());
        return;
      default:
        this.#answered(ticket, body);
    }
  }

  #welcome(reader: ByteReader): void {
    if (this.#isMember) throw new ProtocolFault("a second welcome");
    this.#isMember = true;
    this.#reader.bodyMax = frameBytesMax;
    this.#seen = reader.f64();
    this.process = reader.f64();
    this.#events.welcome(this);
    this.#words.extend(this.#helloMs + leaseMs - marginMs);
    this.#pings = setInterval(() => this.#ping(), pingMs).unref();
    this.#ping();
    this.#socket.unref();
    this.#begun(this);
  }

  #ping(): void {
    const ticket = this.#nextTicket();
    // Those of a second that got no answer are of no use any more.
    if (this.#sentPings.size > 2 * (leaseMs / pingMs)) this.#sentPings.clear();
    this.#sentPings.set(ticket, monotonicMs());
    this.#socket.write(frameOf(kinds.ping, ticket));
  }

  /** The words of all ends up to a number are written. */
  #hasSeen(number: number): void {
    this.#seen = number;
    this.#socket.write(frameOf(kinds.seen, 0, new ByteWriter().f64(number).end()));
  }

  #nextTicket(): number {
    this.#ticket = this.#ticket === ticketMax ? 1 : this.#ticket + 1;
    return this.#ticket;
  }

  /** The newest end that this process has seen. */
  get seen(): number {
    return this.#seen;
  }

  /** Sends a request; resolves to the body of the answer. Rejects with LineFault if the line ends,
   *  or if it takes too long. `waits`: it waits for other processes, as long as it takes. */
  request(kind: number, body: Uint8Array, waits = false): Promise<Buffer> {
    this.#words.add("requests", 1);
    if (this.#isOver || this.#requests.size >= requestsMax) {
      this.#words.add("failures", 1);
      const why = this.#isOver ? "there is no owner" : `${requestsMax} requests wait for the owner`;
      return Promise.reject(new LineFault(why));
    }
    const ticket = this.#nextTicket();
    return new Promise((resolve, reject) => {
      const late = (): void => {
        this.#requests.delete(ticket);
        this.#settleRef();
        this.#words.add("failures", 1);
        reject(new LineFault(`the owner did not answer within ${requestMsMax} ms`));
      };
      const timer = waits ? undefined : setTimeout(late, requestMsMax);
      this.#requests.set(ticket, { kind, startMs: monotonicMs(), resolve, reject, timer });
      this.#settleRef();
      this.#socket.write(frameOf(kind, ticket, body));
    });
  }

  send(kind: number, body?: Uint8Array): void {
    if (!this.#isOver) this.#socket.write(frameOf(kind, 0, body));
  }

  /** Only what is waited for keeps the process alive. */
  #settleRef(): void {
    // Of a socket that is gone `ref` would wait for a connection.
    if (this.#socket.destroyed) return;
    if (this.#requests.size > 0) this.#socket.ref();
    else this.#socket.unref();
  }

  #answered(ticket: number, body: Buffer): void {
    const request = this.#requests.get(ticket);
    if (request === undefined) return; // it was given up
    this.#requests.delete(ticket);
    clearTimeout(request.timer);
    this.#settleRef();
    if (request.timer !== undefined) this.#words.add("requestMs", monotonicMs() - request.startMs);
    request.resolve(body);
  }

  /** Says that this process answers nothing any more, and ends the connection. */
  bye(): void {
    this.#words.end();
    if (this.#isOver) return;
    this.#socket.end(frameOf(kinds.bye, 0));
  }

  #end(reason: string, isRefused = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#words.end();
    clearInterval(this.#pings);
    this.#socket.destroy();
    const requests = Array.from(this.#requests.values());
    this.#requests.clear();
    for (const { reject, timer } of requests) {
      clearTimeout(timer);
      this.#words.add("failures", 1);
      reject(new LineFault(reason));
    }
    this.#begun({ reason, isRefused });
  }
}
