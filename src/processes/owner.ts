// The owner's side of a shared directory: the process that has it answers the members, its own
// memory among them, over a socket in the directory. Made by Attachment once the directory's cache
// is open. Invariants: every change of that cache is made here and told to all other members; what
// is settled can be answered by none of them.
import type { Server, Socket } from "node:net";
import { clearInterval, monotonicMs, setInterval } from "../base/mod.js";
import { type BackStore, namesOf } from "./back-store.js";
import { LoadLeases } from "./load-leases.js";
import { idOf, leaseMs, MemberSession, type OwnerParts } from "./member-session.js";
import { type Change, decodeEntry } from "./wire/wire-messages.js";
import { RecentEnds } from "./recent-ends.js";
import { listenIn, type Listening } from "./rendezvous.js";
import { everything } from "./space-keys.js";

/** Milliseconds between two looks at members that are waited for. */
const lookMs = 10;
/** The most connections at once; beyond, one is refused. */
export const connectionsMax = 256;

/** What an owner tells. */
export interface OwnerEvents {
  readonly members: (count: number) => void;
  readonly cutOff: () => void;
  readonly refused: (reason: string) => void;
}

/** What is waited for: members and up to which end, and a time. */
interface Wait {
  readonly needs: Map<MemberSession, number>;
  readonly untilMs: number;
  readonly resolve: () => void;
}

export class Owner implements OwnerParts {
  readonly store: BackStore;
  readonly ends = new RecentEnds();
  readonly leases = new LoadLeases();
  readonly user = userId();
  readonly #sessions = new Set<MemberSession>();
  /** Connections that have not said hello, and members. */
  #connections = 0;
  readonly #waits = new Set<Wait>();
  /** Requests to settle that have no answer yet. */
  readonly #settling = new Set<Promise<void>>();
  readonly #events: OwnerEvents;
  #looks: NodeJS.Timeout | undefined;
  /** Until when members of this owner, or of an earlier one, that are gone may answer from their
   *  memory. */
  #holdUntilMs: number;
  #listening: Listening | undefined;
  #closed: Promise<void> | undefined;

  private constructor(store: BackStore, wasClosed: boolean, events: OwnerEvents) {
    this.store = store;
    this.#events = events;
    this.#holdUntilMs = wasClosed ? 0 : monotonicMs() + leaseMs;
  }

  /** Begins to listen in the directory, which this process has. `wasClosed`: nobody can have a
   *  lease of an earlier owner, since that one has closed the directory or there was none. */
  static async start(
    path: string,
    store: BackStore,
    wasClosed: boolean,
    events: OwnerEvents,
  ): Promise<Owner> {
    const owner = new Owner(store, wasClosed, events);
    owner.#listening = await listenIn(path, (server) => owner.#serve(server));
    return owner;
  }

  #serve(server: Server): void {
    server.on("connection", (socket: Socket) => {
      if (this.#connections >= connectionsMax || this.#closed !== undefined) {
        this.refused(`${this.#connections} processes are connected; at most ${connectionsMax}`);
        socket.destroy();
        return;
      }
      this.#connections += 1;
      socket.on("close", () => (this.#connections -= 1));
      socket.unref();
      // It listens to the socket for as long as that is open.
      void new MemberSession(socket, this);
    });
  }

  // ── For sessions ────────────────────────────────────────────────────────────────────────────

  make(change: Change, by: MemberSession): void {
    if (change.kind === "set") this.store.set(change);
    else this.store.end(change);
    const id = change.kind === "void" ? change.name : idOf(change.key);
    if (change.kind !== "void") this.leases.changed(id, by, change.kind === "set");
    this.ends.note(id, by);
    const end = change.kind === "set" ? { kind: "delete" as const, key: change.key } : change;
    for (const session of this.#sessions) if (session !== by) session.tell(id, end);
  }

  hasEndedSince(key: Buffer, entry: Uint8Array | undefined, start: number): boolean {
    if (this.ends.number === start || entry === undefined) return false;
    const names = namesOf(key, decodeEntry(entry)?.tags ?? []);
    return [idOf(key), everything, ...names].some((id) => this.ends.hasAny(id, start));
  }

  settling(request: Promise<void>): Promise<void> {
    const ended = request.finally(() => this.#settling.delete(ended));
    this.#settling.add(ended);
    return ended;
  }

  joined(session: MemberSession): void {
    this.#sessions.add(session);
    this.#events.members(this.#sessions.size);
  }

  left(session: MemberSession): void {
    this.#sessions.delete(session);
    this.#holdUntilMs = Math.max(this.#holdUntilMs, session.mayAnswerUntil);
    this.leases.drop(session);
    this.#events.members(this.#sessions.size);
    this.progressed();
  }

  cutOff(): void {
    this.#events.cutOff();
  }

  refused(reason: string): void {
    this.#events.refused(reason);
  }

  async settled(): Promise<void> {
    const needs = new Map<MemberSession, number>();
    for (const session of this.#sessions) {
      session.flushEnds();
      needs.set(session, session.sent);
    }
    await this.#wait(needs);
  }

  #wait(needs: Map<MemberSession, number>): Promise<void> {
    return new Promise((resolve) => {
      this.#waits.add({ needs, untilMs: this.#holdUntilMs, resolve });
      this.progressed();
    });
  }

  /** A member has seen something, or time has passed. */
  progressed(): void {
    const now = monotonicMs();
    for (const wait of this.#waits) {
      for (const [session, number] of wait.needs) {
        if (session.isPast(number)) wait.needs.delete(session);
      }
      if (wait.needs.size > 0 || now < wait.untilMs) continue;
      this.#waits.delete(wait);
      wait.resolve();
    }
    const isWaited = this.#waits.size > 0;
    if (isWaited) this.#looks ??= setInterval(() => this.progressed(), lookMs);
    else if (this.#looks !== undefined) {
      clearInterval(this.#looks);
      this.#looks = undefined;
    }
  }

  // ── Ends ────────────────────────────────────────────────────────────────────────────────────

  /** Tells the members that the directory is closed, waits until none of them answers from its
   *  memory, and closes it. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#listening?.end();
    const needs = new Map<MemberSession, number>();
    for (const session of this.#sessions) {
      session.closing();
      needs.set(session, session.sent);
    }
    await this.#wait(needs);
    // A member that has seen `closing` settles by the next owner.
    while (this.#settling.size > 0) await Promise.allSettled(this.#settling);
    for (const session of Array.from(this.#sessions)) session.end();
    await this.store.close();
  }
}

/** The user of this process; -1 where there are none. */
export function userId(): number {
  return process.getuid?.() ?? -1;
}
