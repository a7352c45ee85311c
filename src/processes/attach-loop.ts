// Keeps a process attached to the owner of its directory: connects to it, or takes the directory
// when nobody has it. Made by openCache for `disk.share: "host"`. Invariant: a process that has the
// directory is a member of its own owner, by the same way as all others.
import { clearTimeout, setTimeout, UndercroftError } from "../base/mod.js";
import { type BackCache, BackStore } from "./back-store.js";
import type { LeaseWords } from "./lease-words.js";
import { Owner } from "./owner.js";
import { type LineEvents, OwnerLine } from "./owner-line.js";
import { connectIn } from "./rendezvous.js";

/** Milliseconds before the directory, or its owner, is looked for again: doubled up to the most. */
export const retryMsMin = 20;
export const retryMsMax = 200;
/** The same after the directory could not be opened, or the owner has refused this process. */
export const faultMs = 1000;
/** The longest that `openCache` waits for an owner; then it begins without. */
export const attachMsMax = 5000;

/** The directory's cache, opened. */
export interface OpenedBack {
  readonly cache: BackCache;
  /** It was closed in order, or is new. */
  readonly wasClosed: boolean;
  /** Resolves if another machine takes the directory. */
  readonly lost: Promise<void>;
}

export interface AttachParts {
  readonly path: string;
  readonly words: LeaseWords;
  /** Opens the directory's cache. Rejects with ERR_DIRECTORY_LOCKED while another process has
   *  it. */
  openBack(): Promise<OpenedBack>;
  /** The wall clock. */
  now(): number;
  readonly line: LineEvents;
  /** The process is no member any more; nothing is answered from its memory until it is again. */
  lost(error: UndercroftError): void;
  /** An attempt failed, otherwise than before. */
  failed(error: UndercroftError): void;
  /** The role, or the number of guests, has changed. */
  changed(): void;
}

export class AttachLoop {
  readonly #parts: AttachParts;
  #owner: Owner | undefined;
  #line: OwnerLine | undefined;
  #isClosed = false;
  #lastFault = "";
  #retryMs = retryMsMin;
  #wake: () => void = () => undefined;
  #running: Promise<void> | undefined;
  #hasAttached: () => void = () => undefined;
  #hasFailed: (error: Error) => void = () => undefined;

  constructor(parts: AttachParts) {
    this.#parts = parts;
  }

  /** Begins. Resolves when the process is attached, or after attachMsMax. Rejects if the directory
   *  cannot be opened. */
  async start(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const begun = new Promise<void>((resolve, reject) => {
      this.#hasAttached = resolve;
      this.#hasFailed = reject;
      timer = setTimeout(resolve, attachMsMax);
    });
    this.#running = this.#run();
    try {
      await begun;
    } finally {
      clearTimeout(timer);
      this.#hasFailed = () => undefined;
    }
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const line = await this.#attach();
      if (line === undefined) continue;
      this.#line = line;
      this.#retryMs = retryMsMin;
      this.#lastFault = "";
      this.#hasAttached();
      await line.over;
      this.#line = undefined;
      this.#setRole();
      if (!this.#isClosed) this.#parts.lost(ownerError("its owner has gone, or has cut it off"));
    }
  }

  /** Connects, or takes the directory for the next attempt; waits a while if neither works. */
  async #attach(): Promise<OwnerLine | undefined> {
    try {
      const socket = await connectIn(this.#parts.path);
      if (socket === undefined) {
        if (this.#owner === undefined && (await this.#own())) return undefined;
        await this.#pause(this.#retryMs);
        this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax);
        return undefined;
      }
      const welcome = (line: OwnerLine): void => {
        this.#setRole(true);
        this.#parts.line.welcome(line);
      };
      const { words, line: events } = this.#parts;
      const line = await OwnerLine.begin(socket, words, { ...events, welcome });
      if (line instanceof OwnerLine) return line;
      if (line.isRefused) this.#note(ownerError(line.reason, "ERR_SHARE_REFUSED"));
      await this.#pause(line.isRefused ? faultMs : retryMsMin);
    } catch (error) {
      const isOurs = error instanceof UndercroftError;
      const fault = isOurs ? error : ownerError((error as Error).message, "ERR_DISK_IO");
      this.#hasFailed(fault);
      this.#note(fault);
      await this.#pause(faultMs);
    }
    return undefined;
  }

  /** Whether this process has the directory now. */
  async #own(): Promise<boolean> {
    const { path, words } = this.#parts;
    let back: OpenedBack;
    try {
      back = await this.#parts.openBack();
    } catch (error) {
      if (error instanceof UndercroftError && error.code === "ERR_DIRECTORY_LOCKED") return false;
      throw error;
    }
    const store = new BackStore(back.cache, () => this.#parts.now());
    let owner: Owner;
    try {
      owner = await Owner.start(path, store, back.wasClosed, {
        members: (count) => {
          words.set("guests", Math.max(0, count - 1));
          this.#parts.changed();
        },
        cutOff: () => words.add("cutOff", 1),
        refused: (reason) => {
          words.add("refused", 1);
          this.#parts.failed(ownerError(reason, "ERR_SHARE_REFUSED"));
        },
      });
    } catch (error) {
      await back.cache.close().catch(() => undefined);
      throw error;
    }
    this.#owner = owner;
    void back.lost.then(() => this.#disown());
    return true;
  }

  /** Another machine has the directory: its members find its owner, or none. */
  async #disown(): Promise<void> {
    const owner = this.#owner;
    this.#owner = undefined;
    await owner?.close().catch((error: unknown) => this.#note(error as Error));
  }

  #setRole(isMember = this.#line !== undefined): void {
    const { words } = this.#parts;
    const isOwner = this.#owner !== undefined;
    words.role = isMember ? (isOwner ? "owner" : "guest") : "none";
    if (!isOwner) words.set("guests", 0);
    if (isMember) words.add("attached", 1);
    this.#parts.changed();
  }

  /** Tells a fault, but not each time that it comes again. */
  #note(error: Error): void {
    if (error.message === this.#lastFault || this.#isClosed) return;
    this.#lastFault = error.message;
    if (error instanceof UndercroftError) this.#parts.failed(error);
  }

  #pause(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Leaves the owner and, if this process is the owner, closes the directory. Rejects as the close
   *  of a cache does. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    this.#line?.bye();
    // The timer also keeps the process alive: the line does not.
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, attachMsMax)));
    await Promise.race([this.#running, late]);
    clearTimeout(timer);
    await this.#owner?.close();
  }
}

function ownerError(
  why: string,
  code: "ERR_TIER" | "ERR_SHARE_REFUSED" | "ERR_DISK_IO" = "ERR_TIER",
): UndercroftError {
  return new UndercroftError(code, `Cannot use the owner of the directory: ${why}`);
}
