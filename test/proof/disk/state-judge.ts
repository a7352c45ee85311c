// Judges what a cache has after a crash. It knows the calls of the user and which of them had
// returned, and shares no code with the engine:
// - after a kill a key has what the last call left that had returned, what the one under way
//   leaves, or nothing;
// - after a power loss it has what was there at the newest sync that had returned, or at one under
//   way, or nothing; without a sync nothing is there. A close is a sync until the next open; what
//   it had ended does not come back later, either;
// - what a flush (after a kill), or a sync (after a power loss), had covered, and no call has
//   touched since, is there.
import { type Call, isOfSpace, type Story } from "./story.js";

/** How a run ended, after so many of its changes. */
export interface Crash {
  readonly kind: "kill" | "power";
  readonly position: number;
  /** Something that had been written is damaged: it may be lost then, but not be wrong. */
  readonly isNoisy: boolean;
  /** Another session had begun since. */
  readonly isReopened: boolean;
}

/** What may and what must be read. */
export interface Verdicts {
  readonly allowed: ReadonlyMap<string, ReadonlySet<string>>;
  readonly promised: ReadonlyMap<string, string>;
}

type Contents = ReadonlyMap<string, { readonly value: string; readonly tag: string }>;

function after(before: Contents, { what }: Call): Contents {
  const contents = new Map(before);
  switch (what.kind) {
    case "set":
      contents.set(what.key, what);
      return contents;
    case "delete":
      contents.delete(what.key);
      return contents;
    case "tag":
      for (const [key, { tag }] of before) if (tag === what.tag) contents.delete(key);
      return contents;
    case "clear":
      return new Map();
    case "clearSpace":
      return new Map(Array.from(before).filter(([key]) => !isOfSpace(key)));
    case "flush":
    case "sync":
    case "close":
    case "open":
    case "resize":
      return before;
  }
}

/** The judge of one story. */
export class StateJudge {
  readonly #story: Story;
  /** What there was before each call, and after the last one. */
  readonly #contents: Contents[] = [new Map()];

  constructor(story: Story) {
    this.#story = story;
    for (const call of story.calls) {
      this.#contents.push(after(this.#contents.at(-1) as Contents, call));
    }
  }

  /** What a crash leaves room for. */
  verdicts({ kind, position, isNoisy, isReopened }: Crash): Verdicts {
    const { calls, hasRoom } = this.#story;
    let done = calls.findIndex(({ to }) => to > position);
    if (done < 0) done = calls.length;
    const underWay = calls[done];
    const hasBegun = underWay !== undefined && underWay.from <= position;
    const last = hasBegun ? done + 1 : done;
    const isPower = kind === "power";
    const covered = isPower
      ? this.#coveredAfterLoss(done, last, isReopened)
      : this.#last(done, ["flush", "sync", "close"]);
    const contents = isPower
      ? this.#contentsAfterLoss(covered, done, underWay, hasBegun)
      : this.#contents.slice(done, last + 1);
    const allowed = new Map<string, Set<string>>();
    for (const moment of contents) {
      for (const [key, { value }] of moment) {
        allowed.set(key, (allowed.get(key) ?? new Set()).add(value));
      }
    }
    const promised = new Map<string, string>();
    if (hasRoom && !isNoisy && covered >= 0) {
      for (const [key, { value }] of this.#contents[covered] as Contents) {
        const isSame = this.#contents
          .slice(covered, last + 1)
          .every((contents) => contents.get(key)?.value === value);
        if (isSame) promised.set(key, value);
      }
    }
    return { allowed, promised };
  }

  /** The newest of the first `done` calls that is one of these; -1: none. */
  #last(done: number, kinds: readonly Call["what"]["kind"][]): number {
    return this.#story.calls.slice(0, done).findLastIndex(({ what }) => kinds.includes(what.kind));
  }

  /** The contents that a power loss may bring back. */
  #contentsAfterLoss(
    covered: number,
    done: number,
    underWay: Call | undefined,
    hasBegun: boolean,
  ): Contents[] {
    const contents: Contents[] = [];
    if (covered >= 0) {
      const closed = Math.max(covered, this.#last(done, ["close"]));
      const kept = this.#contents[closed] as Contents;
      const isKept = ([key, { value }]: [string, { value: string }]): boolean =>
        kept.get(key)?.value === value;
      contents.push(new Map(Array.from(this.#contents[covered] as Contents).filter(isKept)));
    }
    const isSync = underWay?.what.kind === "sync" || underWay?.what.kind === "close";
    // What was closed is as it was until an open under way has synced that it is open.
    const isClosed = this.#story.calls[done - 1]?.what.kind === "close";
    if (isClosed || (hasBegun && isSync)) contents.push(this.#contents[done] as Contents);
    return contents;
  }

  /** A close covers all until the directory is opened again; after that only syncs count. */
  #coveredAfterLoss(done: number, last: number, isReopened: boolean): number {
    const sync = this.#last(done, ["sync"]);
    const close = this.#last(done, ["close"]);
    const open = isReopened ? Infinity : this.#last(last, ["open"]);
    return close > open ? Math.max(sync, close) : sync;
  }

  /** What is wrong with what was read; "" if nothing is. */
  fault({ allowed, promised }: Verdicts, read: ReadonlyMap<string, unknown>): string {
    for (const key of this.#story.keys) {
      const value = read.get(key);
      const wanted = promised.get(key);
      if (wanted !== undefined && value === undefined) return `${key} is lost: ${shown(wanted)}`;
      if (value === undefined) continue;
      const may = allowed.get(key) ?? new Set<string>();
      if (typeof value === "string" && may.has(value)) continue;
      const words = [...may].map(shown).join(" or ") || "nothing";
      return `${key} is ${shown(value)}; it may be ${words}`;
    }
    return "";
  }
}

function shown(value: unknown): string {
  return String(value).slice(0, 24);
}
