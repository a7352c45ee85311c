// One member as the owner sees it: its requests, what it has heard of, and until when it may answer
// from its memory. Made by Owner for each connection. Invariants: answers and ends leave in the
// order in which the store was read and changed; a member that has not said in time that it has
// seen an end is cut off, and counts as able to answer until its last lease is over.
import type { Socket } from "node:net";
import { monotonicMs, setImmediate, UndercroftError } from "../base/mod.js";
import { areSound, type BackStore, namesOf } from "./back-store.js";
import type { FlushDepth } from "../outer-tiers/mod.js";
import { ByteReader, ByteWriter, ProtocolFault } from "./wire/byte-stream.js";
import { type Frame, frameBytesMax, frameOf, FrameReader } from "./wire/frames.js";
import type { LeaseHolder, LoadLeases } from "./load-leases.js";
import {
  type Change,
  decodeEntry,
  depths,
  type End,
  kinds,
  listMax,
  protocolVersion,
  readChanges,
  writeChanges,
} from "./wire/wire-messages.js";
import type { RecentEnds } from "./recent-ends.js";
import { everything } from "./space-keys.js";

/** How long a member may answer from its memory after it has asked for leave. */
export const leaseMs = 1000;
/** The most bytes that wait to be sent to a member; one that does not read them is cut off. */
export const backlogBytesMax = 128 * 1024 * 1024;
/** The most bytes of entries in one answer; what is beyond is a miss. */
const answerBytesMax = frameBytesMax / 2;
const noBytes = Buffer.alloc(0);

/** What a session has of its owner. */
export interface OwnerParts {
  readonly store: BackStore;
  readonly ends: RecentEnds;
  readonly leases: LoadLeases;
  readonly user: number;
  make(change: Change, by: MemberSession): void;
  /** Whether an entry that was being read has been ended since, or may have been. */
  hasEndedSince(key: Buffer, entry: Uint8Array | undefined, start: number): boolean;
  /** Resolves when no member can answer what ended before this call. */
  settled(): Promise<void>;
  /** The owner does not close before this has ended. */
  settling(request: Promise<void>): Promise<void>;
  joined(session: MemberSession): void;
  left(session: MemberSession): void;
  progressed(): void;
  cutOff(): void;
  refused(reason: string): void;
}

export class MemberSession implements LeaseHolder {
  readonly #socket: Socket;
  readonly #parts: OwnerParts;
  readonly #reader = new FrameReader();
  /** What ended since the last message about it, by its id. */
  #outbox = new Map<string, End>();
  #isMember = false;
  #isPolite = false;
  #hasEnded = false;
  /** Monotonic ms of the last leave to answer from memory. */
  #grantedMs = 0;
  /** The newest end that it was sent, and that it has seen. */
  #sent = 0;
  #seen = 0;
  #unseenSinceMs = Infinity;
  process = 0;

  constructor(socket: Socket, parts: OwnerParts) {
    this.#socket = socket;
    this.#parts = parts;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => this.end());
  }

  get isMember(): boolean {
    return this.#isMember && !this.#hasEnded;
  }

  /** Until when it may answer from its memory what was ended, in monotonic ms; 0 if not at all. */
  get mayAnswerUntil(): number {
    return this.#isPolite || this.#grantedMs === 0 ? 0 : this.#grantedMs + leaseMs;
  }

  // ── Receiving ───────────────────────────────────────────────────────────────────────────────

  #receive(chunk: Buffer): void {
    if (this.#hasEnded) return;
    try {
      this.#reader.push(chunk, (frame) => {
        if (!this.#hasEnded) this.#take(frame);
      });
    } catch (error) {
      // A store that was closed is no fault of the member, which finds the next owner.
      const isExpected = error instanceof ProtocolFault || error instanceof UndercroftError;
      if (!isExpected) throw error;
      if (error instanceof ProtocolFault) this.#parts.refused(error.message);
      this.end();
    }
  }

  #take({ kind, ticket, body }: Frame): void {
    const reader = new ByteReader(body);
    if (!this.#isMember) {
      if (kind !== kinds.hello) throw new ProtocolFault("the first message is no hello");
      this.#hello(reader);
      return;
    }
    switch (kind) {
      case kinds.ping:
        this.#ping(ticket);
        return;
      case kinds.seen:
        this.#hasSeen(reader.f64());
        return;
      case kinds.read:
        this.#run(
          this.#read(
            ticket,
            reader.list(listMax, () => reader.bytes()),
          ),
        );
        return;
      case kinds.apply:
        this.#apply(ticket, reader);
        return;
      case kinds.settle:
        this.#run(this.#parts.settling(this.#settle(ticket, depths[reader.u8()])));
        return;
      case kinds.lease:
        this.#run(this.#lease(ticket, reader.bytes(), reader.text()));
        return;
      case kinds.renew:
        this.#run(this.#renew(ticket, reader.bytes(), reader.text(), reader.f64()));
        return;
      case kinds.release: {
        const key = reader.bytes();
        this.#parts.leases.release(idOf(key), reader.text());
        return;
      }
      case kinds.bye:
        this.#isPolite = true;
        this.end();
        return;
      default:
        throw new ProtocolFault(`a member sent a message of kind ${kind}`);
    }
  }

  /** A store that is closed meanwhile ends the connection. */
  #run(request: Promise<void>): void {
    request.catch(() => this.end());
  }

  #hello(reader: ByteReader): void {
    const version = reader.u16();
    const refuse = (reason: string): void => {
      this.#parts.refused(reason);
      const body = new ByteWriter().text(reason).end();
      this.#hasEnded = true;
      this.#socket.end(frameOf(kinds.refused, 0, body));
    };
    if (version !== protocolVersion) {
      refuse(`it speaks version ${version} of the protocol, and the owner ${protocolVersion}`);
      return;
    }
    const user = reader.f64();
    if (user !== this.#parts.user) {
      refuse(`it runs as user ${user}, and the owner as ${this.#parts.user}`);
      return;
    }
    this.process = reader.f64();
    reader.end();
    this.#isMember = true;
    this.#reader.bodyMax = frameBytesMax;
    this.#sent = this.#parts.ends.number;
    this.#seen = this.#sent;
    this.#grantedMs = monotonicMs();
    this.#send(kinds.welcome, 0, new ByteWriter().f64(this.#sent).f64(process.pid).end());
    this.#parts.joined(this);
  }

  #ping(ticket: number): void {
    this.#grantedMs = monotonicMs();
    this.#send(kinds.pong, ticket);
  }

  #send(kind: number, ticket: number, body?: Uint8Array): void {
    if (this.#hasEnded) return;
    this.#socket.write(frameOf(kind, ticket, body));
    if (this.#socket.writableLength > backlogBytesMax) this.cutOff();
  }

  // ── Requests ────────────────────────────────────────────────────────────────────────────────

  /** Reads keys. What was ended while others of them were read from disk is a miss: the end may
   *  have left before this answer. */
  async #read(ticket: number, keys: readonly Buffer[]): Promise<void> {
    const { store, ends } = this.#parts;
    const start = ends.number;
    const found = keys.map((key) => store.get(key));
    const isAtOnce = found.every((entry) => !(entry instanceof Promise));
    const entries = isAtOnce
      ? (found as (Uint8Array | undefined)[])
      : await Promise.all(found.map((entry) => Promise.resolve(entry).catch(() => undefined)));
    const writer = new ByteWriter().u32(entries.length);
    let left = answerBytesMax;
    for (const [index, entry] of entries.entries()) {
      const isCurrent = isAtOnce || !this.#parts.hasEndedSince(keys[index] as Buffer, entry, start);
      const answer = entry !== undefined && isCurrent && entry.length <= left ? entry : noBytes;
      left -= answer.length;
      writer.bytes(answer);
    }
    this.#send(kinds.entries, ticket, writer.end());
  }

  /** Makes changes, and says so at once: what others do to the same keys after this comes to the
   *  member after the answer. */
  #apply(ticket: number, reader: ByteReader): void {
    const seen = reader.f64();
    const changes = readChanges(reader);
    reader.end();
    if (!areSound(changes)) throw new ProtocolFault("a change has a key of no namespace");
    for (const change of changes) this.#parts.make(this.#orDelete(change, seen), this);
    this.#send(kinds.applied, ticket);
  }

  /** A value of which the member did not know that others have ended its key is not kept: nobody
   *  can say which of the two is newer. */
  #orDelete(change: Change, seen: number): Change {
    if (change.kind !== "set") return change;
    const { ends } = this.#parts;
    const { key, entry } = change;
    const names = namesOf(key, decodeEntry(entry)?.tags ?? []);
    const isOld = [idOf(key), everything, ...names].some((id) => ends.hasOthers(id, this, seen));
    return isOld ? { kind: "delete", key } : change;
  }

  async #settle(ticket: number, depth: FlushDepth | undefined): Promise<void> {
    const writer = new ByteWriter();
    try {
      await this.#parts.settled();
      if (depth !== "others") await this.#parts.store.flush(depth === "fsync");
      writer.text("").text("");
    } catch (error) {
      const { code, message } = error as UndercroftError;
      writer.text(error instanceof UndercroftError ? code : "ERR_TIER").text(message);
    }
    this.#send(kinds.settled, ticket, writer.end());
  }

  async #lease(ticket: number, key: Buffer, token: string): Promise<void> {
    const { store, ends, leases } = this.#parts;
    const start = ends.number;
    const found = store.get(key);
    const entry = found instanceof Promise ? await found.catch(() => undefined) : found;
    if (this.#hasEnded) return;
    const isCurrent = !(found instanceof Promise) || !this.#parts.hasEndedSince(key, entry, start);
    const kept = entry !== undefined && isCurrent ? entry : noBytes;
    const isFresh = kept.length > 0 && store.isFresh(kept);
    const waitMs = isFresh ? 0 : leases.ask(idOf(key), key, token, this);
    // Who asks again may have it from before, and must release it.
    const isGiven = leases.isHeldBy(idOf(key), token);
    const writer = new ByteWriter()
      .u32(waitMs)
      .u8(isGiven ? 1 : 0)
      .bytes(kept);
    this.#send(kinds.turn, ticket, writer.end());
  }

  async #renew(ticket: number, key: Buffer, token: string, since: number): Promise<void> {
    const { leases } = this.#parts;
    const id = idOf(key);
    const { mark } = leases;
    const entry = leases.hasLoadedSince(id, since) ? await this.#fresh(key) : noBytes;
    if (this.#hasEnded) return;
    const isFound = entry.length > 0;
    const waitMs = isFound ? 0 : leases.ask(id, key, token, this);
    const isGiven = leases.isHeldBy(id, token);
    const writer = new ByteWriter()
      .u32(waitMs)
      .u8(isGiven ? 1 : 0)
      .f64(mark)
      .bytes(entry);
    this.#send(kinds.renewal, ticket, writer.end());
  }

  /** The bytes of an entry; none if it is not fresh, or was ended while it was read. */
  async #fresh(key: Buffer): Promise<Uint8Array> {
    const { store, ends } = this.#parts;
    const start = ends.number;
    const found = store.get(key);
    const entry = found instanceof Promise ? await found.catch(() => undefined) : found;
    if (entry === undefined || !store.isFresh(entry)) return noBytes;
    return this.#parts.hasEndedSince(key, entry, start) ? noBytes : entry;
  }

  freed(key: Buffer): void {
    this.#send(kinds.freed, 0, new ByteWriter().bytes(key).end());
  }

  // ── Ends that others made ───────────────────────────────────────────────────────────────────

  /** Tells it of an end, with others in one message. */
  tell(id: string, end: End): void {
    if (this.#outbox.size === 0) setImmediate(() => this.flushEnds());
    this.#outbox.set(id, end);
  }

  flushEnds(): void {
    if (this.#outbox.size === 0 || this.#hasEnded) return;
    const ends = Array.from(this.#outbox.values());
    this.#outbox = new Map();
    const { number } = this.#parts.ends;
    if (this.#seen === this.#sent) this.#unseenSinceMs = monotonicMs();
    this.#sent = number;
    const body = writeChanges(new ByteWriter().f64(number), ends).end();
    this.#send(kinds.ended, 0, body);
  }

  #hasSeen(number: number): void {
    this.#seen = Math.max(this.#seen, Math.min(number, this.#sent));
    if (this.#seen === this.#sent) this.#unseenSinceMs = Infinity;
    this.#parts.progressed();
  }

  /** The newest end that it was told. */
  get sent(): number {
    return this.#sent;
  }

  /** Whether it cannot answer any more what ended up to a number. Cuts it off once its lease is
   *  over, or if it asks for leave but does not look at ends. */
  isPast(number: number): boolean {
    const now = monotonicMs();
    if (!this.#hasEnded) {
      if (this.#seen >= number) return true;
      if (now < this.#grantedMs + leaseMs && now < this.#unseenSinceMs + 2 * leaseMs) return false;
      this.cutOff();
    }
    return now >= this.mayAnswerUntil;
  }

  closing(): void {
    this.flushEnds();
    this.#sent = this.#parts.ends.number + 1;
    this.#send(kinds.closing, 0, new ByteWriter().f64(this.#sent).end());
  }

  cutOff(): void {
    if (this.#hasEnded) return;
    this.#parts.cutOff();
    this.end();
  }

  end(): void {
    const wasMember = this.isMember;
    this.#hasEnded = true;
    this.#socket.destroy();
    if (wasMember) this.#parts.left(this);
  }
}

/** One text for a key. */
export function idOf(key: Buffer): string {
  return key.toString("latin1");
}
