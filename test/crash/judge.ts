// The judge of the crash tests: replays what programs reported of their operations and reads, over
// many sessions of one directory, and says which read broke a guarantee. It knows only the
// guarantees: never an older value than the last completed write, never a wrong one, and nothing
// lost that a completed flush had guaranteed.
//
// A program reports one line each, each before it goes on:
//   set <key> <version>             begun; then   did <outcome> <expires>, its latest wall-clock
//                                   end or 0. One that was killed may end at any time
//   delete <key> / tag <tag> / clear   begun; then   did
//   flush                           begun; then   did, or   failed
//   read <key> <version> <now>      `now` was before the read; version 0: nothing, -1: not a value
//                                   of this key

import { tagOf } from "./entry-value.js";

/** What may be read of one key. */
interface Entry {
  /** Versions that may be read, oldest first. More than one only after a kill in the middle of a
   *  write. */
  allowed: number[];
  /** It was written or read in this session of the cache. */
  seen: boolean;
  /** A flush has guaranteed the only version. */
  promised: boolean;
}

/** A read may begin this much earlier than the cache's clock says. */
const clockSlackMs = 20;

type Begun =
  | { readonly kind: "set"; readonly key: string; readonly version: number }
  | { readonly kind: "delete"; readonly key: string }
  | { readonly kind: "tag"; readonly tag: string }
  | { readonly kind: "clear" | "flush" };

/** What happened in the sessions, so that a test can see that anything did. */
export interface Account {
  operations: number;
  reads: number;
  hits: number;
  flushes: number;
  /** Tags invalidated. */
  tags: number;
  /** Reads of a key whose value a flush had guaranteed. */
  promisesKept: number;
}

export class Judge {
  readonly faults: string[] = [];
  readonly account: Account = {
    operations: 0,
    reads: 0,
    hits: 0,
    flushes: 0,
    tags: 0,
    promisesKept: 0,
  };
  newest = 0;
  readonly #entries = new Map<string, Entry>();
  readonly #expires = new Map<number, number>();
  readonly #neverEvicts: boolean;
  #begun: Begun | null = null;

  /** `neverEvicts`: there is room for everything, so everything flushed must be there. */
  constructor(neverEvicts: boolean) {
    this.#neverEvicts = neverEvicts;
  }

  /** Replays the report of one session, which ended after its last whole line. */
  session(report: string, name: string): void {
    const lines = report.split("\n");
    lines.pop();
    for (const line of lines) {
      const words = line.split(" ");
      const fault = this.#line(words);
      if (fault !== undefined) this.faults.push(`${name}: ${line}: ${fault}`);
    }
    this.#killed();
  }

  #entry(key: string): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { allowed: [], seen: false, promised: false };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #line(words: readonly string[]): string | undefined {
    const [verb = "", key = "", third = "0", fourth = "0"] = words;
    switch (verb) {
      case "set":
        this.#begun = { kind: "set", key, version: Number(third) };
        this.newest = Math.max(this.newest, Number(third));
        return undefined;
      case "delete":
        this.#begun = { kind: "delete", key };
        return undefined;
      case "tag":
        this.#begun = { kind: "tag", tag: key };
        return undefined;
      case "clear":
      case "flush":
        this.#begun = { kind: verb };
        return undefined;
      case "did":
        return this.#did(key, Number(third));
      case "failed":
        this.#begun = null;
        return this.#neverEvicts ? "a flush failed on a disk that works" : undefined;
      case "read":
        return this.#read(this.#entry(key), Number(third), Number(fourth));
      default:
        return "the program said what no program says";
    }
  }

  #did(outcome: string, expires: number): string | undefined {
    const begun = this.#begun;
    this.#begun = null;
    if (begun === null) return "something ended that had not begun";
    this.account.operations += 1;
    switch (begun.kind) {
      case "set": {
        const allowed = outcome === "stored" ? [begun.version] : [];
        if (expires !== 0) this.#expires.set(begun.version, expires);
        this.#entries.set(begun.key, { allowed, seen: true, promised: false });
        return undefined;
      }
      case "delete":
        this.#entries.delete(begun.key);
        return undefined;
      case "tag":
        this.account.tags += 1;
        for (const key of this.#keysOf(begun.tag)) this.#entries.delete(key);
        return undefined;
      case "clear":
        this.#entries.clear();
        return undefined;
      case "flush":
        this.account.flushes += 1;
        for (const entry of this.#entries.values()) entry.promised ||= this.#isPromised(entry);
        return undefined;
    }
  }

  #keysOf(tag: string): string[] {
    return Array.from(this.#entries.keys()).filter((key) => tagOf(key) === tag);
  }

  #isPromised({ allowed, seen }: Entry): boolean {
    const [version = 0] = allowed;
    return this.#neverEvicts && seen && allowed.length === 1 && !this.#expires.has(version);
  }

  #read(entry: Entry, version: number, now: number): string | undefined {
    this.account.reads += 1;
    if (version < 0) return "wrong bytes";
    if (version === 0) {
      if (entry.promised) return `lost ${entry.allowed.join()}, which a flush had promised to keep`;
      return undefined;
    }
    this.account.hits += 1;
    if (entry.promised) this.account.promisesKept += 1;
    const expires = this.#expires.get(version) ?? Infinity;
    if (expires < now - clockSlackMs) return `expired ${now - expires} ms before`;
    if (!entry.allowed.includes(version)) {
      return `an older value; allowed: ${entry.allowed.join() || "nothing"}`;
    }
    entry.allowed = entry.allowed.filter((other) => other >= version);
    entry.seen = true;
    return undefined;
  }

  /** What was under way when the session ended may have happened or not. */
  #killed(): void {
    for (const entry of this.#entries.values()) entry.seen = entry.promised;
    const begun = this.#begun;
    this.#begun = null;
    if (begun?.kind === "set") {
      const entry = this.#entry(begun.key);
      entry.allowed.push(begun.version);
      // It may have a ttl, or none.
      this.#expires.set(begun.version, Infinity);
      entry.seen = false;
      entry.promised = false;
    } else if (begun?.kind === "delete") {
      this.#entry(begun.key).promised = false;
    } else if (begun?.kind === "tag") {
      for (const key of this.#keysOf(begun.tag)) this.#entry(key).promised = false;
    } else if (begun?.kind === "clear") {
      for (const entry of this.#entries.values()) entry.promised = false;
    }
  }
}
