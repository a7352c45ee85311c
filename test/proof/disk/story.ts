// What a user did, and when: the calls on a cache over a few sessions of one directory, each with
// the positions in the record of changes between which it ran. The judge knows nothing else.
import type { Cache, CacheOptions } from "../../../src/mod.js";
import type { Random } from "./crash-image.js";
import type { Engine } from "./engine.js";
import { fileSystemOver, MemoryFiles, root } from "./memory-files.js";
import { type DiskEvent, recorded } from "./recorded-files.js";

/** One call. `from` and `to`: how many changes there were before it, and when it had returned. */
export interface Call {
  readonly what:
    | { readonly kind: "set"; readonly key: string; readonly value: string; readonly tag: string }
    | { readonly kind: "delete"; readonly key: string }
    | { readonly kind: "tag"; readonly tag: string }
    | { readonly kind: "clear" | "clearSpace" }
    | { readonly kind: "flush" | "sync" | "close" | "open" | "resize" };
  readonly from: number;
  to: number;
}

export interface Story {
  readonly name: string;
  readonly calls: readonly Call[];
  readonly events: readonly DiskEvent[];
  readonly keys: readonly string[];
  /** Nothing has to leave the disk, so what was flushed must be there. */
  readonly hasRoom: boolean;
  readonly options: CacheOptions<string>;
}

/** What a story is like. */
export interface Plot {
  readonly name: string;
  readonly sessions: number;
  /** Calls of a session. */
  readonly calls: number;
  readonly keys: number;
  readonly bytesMax: number;
  readonly hasRoom: boolean;
  readonly isEncrypted?: boolean;
  /** Tags that no entry has, invalidated with each tag: their table fills, and is swept. */
  readonly otherTags?: number;
  /** Clears in a hundred calls; default 0.5. */
  readonly clears?: number;
}

/** Every other key is one of a namespace, which clears alone. */
export function isOfSpace(key: string): boolean {
  return Number(key.slice("key-".length)) % 2 === 1;
}

/** What has the key: the cache, or its namespace. */
export function ownerOf(
  cache: Cache<string>,
  key: string,
): Pick<Cache<string>, "get" | "set" | "delete"> {
  return isOfSpace(key) ? cache.namespace<string>("space") : cache;
}

export const plots: readonly Plot[] = [
  { name: "roomy", sessions: 3, calls: 120, keys: 40, bytesMax: 900, hasRoom: true },
  { name: "tight", sessions: 3, calls: 260, keys: 250, bytesMax: 14000, hasRoom: false },
  {
    name: "encrypted",
    sessions: 2,
    calls: 100,
    keys: 40,
    bytesMax: 900,
    hasRoom: true,
    isEncrypted: true,
  },
  {
    name: "tagged",
    sessions: 3,
    calls: 120,
    keys: 40,
    bytesMax: 900,
    hasRoom: true,
    otherTags: 260,
    clears: 4,
  },
];

const now = 1_700_000_000_000;

/** The options of every session. */
export function optionsOf({ isEncrypted = false, hasRoom }: Plot): CacheOptions<string> {
  const encryption = isEncrypted ? { encryption: { key: Buffer.alloc(32, 7) } } : {};
  const capacity = hasRoom ? "2mb" : { now: "1mb", most: "1536kb" };
  const disk = { path: root, capacity, preload: false as const, ...encryption };
  return { memory: "1mb", near: false, operators: false, clock: { now: () => now }, disk };
}

/** Does what the plot says, over files in memory, and writes everything down. */
export async function tell(engine: Engine, plot: Plot, random: Random): Promise<Story> {
  const events: DiskEvent[] = [];
  const files = new MemoryFiles();
  const calls: Call[] = [];
  const options = optionsOf(plot);
  const { otherTags = 0, clears = 0.5 } = plot;
  const keys = Array.from({ length: plot.keys }, (_, number) => `key-${number}`);
  engine.useFileSystem(recorded(fileSystemOver(files), (event) => events.push(event)));
  const told = async <T>(what: Call["what"], run: () => T | Promise<T>): Promise<T> => {
    const call = { what, from: events.length, to: Infinity };
    calls.push(call);
    const result = await run();
    call.to = events.length;
    return result;
  };
  let version = 0;
  for (let session = 0; session < plot.sessions; session++) {
    const cache = await told({ kind: "open" }, () => engine.attend(engine.openCache(options)));
    for (let number = 0; number < plot.calls; number++) {
      const chance = random();
      const key = keys[Math.floor(random() * keys.length)] as string;
      const tag = `tag-${Number(key.slice(4)) % 4}`;
      if (chance < 0.62) {
        version += 1;
        const value = valueOf(key, version, Math.floor(random() ** 2 * plot.bytesMax));
        await told({ kind: "set", key, value, tag }, () => {
          if (ownerOf(cache, key).set(key, value, { tags: [tag] }) !== "stored")
            throw new Error("not stored");
        });
      } else if (chance < 0.76) {
        await told({ kind: "delete", key }, () => ownerOf(cache, key).delete(key));
      } else if (chance < (plot.hasRoom ? 0.79 : 0.766)) {
        await told({ kind: "tag", tag }, () => {
          cache.deleteByTag(tag);
          for (let other = 0; other < otherTags; other++) cache.deleteByTag(`${version}:${other}`);
        });
      } else if (chance < (plot.hasRoom ? 0.79 + clears / 100 : 0.768)) {
        const isWhole = random() < 0.5;
        if (isWhole) await told({ kind: "clear" }, () => cache.clear());
        else await told({ kind: "clearSpace" }, () => cache.namespace("space").clear());
      } else if (chance < 0.87) {
        await told({ kind: "flush" }, () => engine.attend(cache.flush()));
      } else if (chance < 0.92) {
        await told({ kind: "sync" }, () => engine.attend(cache.flush({ fsync: true })));
      } else if (chance < 0.98) {
        engine.rounds(1);
        await ownerOf(cache, key).get(key);
      } else if (!plot.hasRoom) {
        const disk = random() < 0.5 ? "1mb" : "1536kb";
        await told({ kind: "resize" }, () => engine.attend(cache.resize({ disk })));
      }
    }
    await told({ kind: "close" }, () => engine.attend(cache.close()));
  }
  return { name: plot.name, calls, events, keys, hasRoom: plot.hasRoom, options };
}

/** A value that names its key and the write that it is of. */
export function valueOf(key: string, version: number, bytes: number): string {
  const word = `${key}#${version};`;
  return word.repeat(1 + Math.floor(bytes / word.length));
}
