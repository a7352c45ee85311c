// What a crash may leave of a run's changes. After a kill everything is there up to some byte of
// the last write. After a power loss only what was synced is there for certain. Of the rest any
// part may be there: whole writes, in any order, or single sectors or pages of them; and a page
// that was never written may hold anything. What bounds the disorder, as on journaling file
// systems:
// - a write that came after a change of its file's length is there only if that change is;
// - names change one at a time: a rename is there or not, and what comes later for a name is there
//   only if what came earlier is;
// - a page that holds synced bytes is not lost when it is written again: it is old or new.
import { Inode, type MemoryFiles, pageBytes } from "./memory-files.js";
import type { DiskEvent } from "./recorded-files.js";

/** A source of random numbers, from 0 to below 1. */
export type Random = () => number;

type Data = Extract<DiskEvent, { kind: "write" | "truncate" }>;
type Names = Extract<DiskEvent, { kind: "create" | "rename" | "unlink" }>;

/** What happens to data that was not synced. */
export type Loss = "nothing" | "everything" | "writes" | "sectors" | "pages" | "tail" | "garbage";
export const losses: readonly Loss[] = [
  "nothing",
  "everything",
  "writes",
  "sectors",
  "pages",
  "tail",
  "garbage",
];

const sectorBytes = 512;

/** A disk that follows a run event by event, and can be stopped at any of them. */
export class CrashDisk {
  /** What processes see. */
  readonly seen: MemoryFiles;
  /** What is certain to survive a power loss. */
  readonly #durable: MemoryFiles;
  /** All inodes of both, those without a name too. */
  readonly #seenInodes: Map<bigint, Inode>;
  readonly #durableInodes: Map<bigint, Inode>;
  readonly #data: Map<bigint, Data[]>;
  #names: Names[];

  /** Begins with what is on disk, or as another one is now. */
  constructor(before: MemoryFiles | CrashDisk) {
    const isDisk = before instanceof CrashDisk;
    const [seen, durable] = isDisk ? [before.seen, before.#durable] : [before, before];
    const none = new Map<bigint, Inode>();
    [this.seen, this.#seenInodes] = copyOf(seen, isDisk ? before.#seenInodes : none);
    [this.#durable, this.#durableInodes] = copyOf(durable, isDisk ? before.#durableInodes : none);
    const data = isDisk ? Array.from(before.#data) : [];
    this.#data = new Map(data.map(([inode, changes]) => [inode, changes.slice()]));
    this.#names = isDisk ? before.#names.slice() : [];
  }

  /** Another one in this state, which goes on with one event, if there is one. */
  forked(event: DiskEvent | undefined): CrashDisk {
    const fork = new CrashDisk(this);
    if (event !== undefined) fork.apply(event);
    return fork;
  }

  apply(event: DiskEvent): void {
    applyTo(this.seen, this.#seenInodes, event);
    switch (event.kind) {
      case "make":
        this.#durable.isMade = true;
        return;
      case "write":
      case "truncate": {
        const pending = this.#data.get(event.inode);
        if (pending === undefined) this.#data.set(event.inode, [event]);
        else pending.push(event);
        return;
      }
      case "sync":
        for (const change of this.#data.get(event.inode) ?? []) {
          applyTo(this.#durable, this.#durableInodes, change);
        }
        this.#data.delete(event.inode);
        return;
      case "syncNames":
        for (const change of this.#names) applyTo(this.#durable, this.#durableInodes, change);
        this.#names = [];
        return;
      case "create":
        this.#durableInodes.set(event.inode, new Inode(event.inode, this.#durable));
        this.#names.push(event);
        return;
      case "rename":
      case "unlink":
        this.#names.push(event);
        return;
    }
  }

  /** What a kill leaves that comes `bytes` into the next write. */
  killed(next: DiskEvent | undefined, bytes: number): MemoryFiles {
    const [files, inodes] = copyOf(this.seen, this.#seenInodes);
    if (next?.kind === "write" && bytes > 0) {
      applyTo(files, inodes, { ...next, bytes: next.bytes.subarray(0, bytes) });
    }
    return files;
  }

  /** What a power loss leaves. */
  lost(loss: Loss, random: Random): MemoryFiles {
    const [files, inodes] = copyOf(this.#durable, this.#durableInodes);
    const lateNames = new Set<string>();
    for (const change of this.#names) {
      const names = change.kind === "rename" ? [change.from, change.to] : [change.name];
      const stays = loss === "nothing" || (loss !== "everything" && random() < 0.7);
      if (stays && !names.some((name) => lateNames.has(name))) applyTo(files, inodes, change);
      else for (const name of names) lateNames.add(name);
    }
    for (const [number, changes] of this.#data) {
      const inode = inodes.get(number);
      if (inode !== undefined) loseData(inode, changes, loss, random);
    }
    return files;
  }

  /** Whether a power loss could lose anything. */
  get isPending(): boolean {
    return this.#data.size > 0 || this.#names.length > 0;
  }
}

function loseData(inode: Inode, changes: readonly Data[], loss: Loss, random: Random): void {
  if (loss === "everything") return;
  const holes = new Set<number>();
  // A prefix of the changes of length, and of the writes those that follow them.
  const truncates = changes.filter(({ kind }) => kind === "truncate").length;
  let left = loss === "nothing" ? truncates : Math.floor(random() * (truncates + 1));
  const tail = Math.floor(random() * (changes.length + 1));
  for (const [position, change] of changes.entries()) {
    if (change.kind === "truncate") {
      if (left === 0) return;
      left -= 1;
      inode.truncate(change.length);
      continue;
    }
    if (loss === "tail" && position >= tail) return;
    const first = Math.floor(change.at / pageBytes);
    const last = Math.floor((change.at + change.bytes.length - 1) / pageBytes);
    for (let page = first; page <= last; page++) if (inode.isHole(page)) holes.add(page);
    if (loss === "nothing" || loss === "tail") inode.write(change.bytes, change.at);
    else if (loss === "sectors") writeParts(inode, change, sectorBytes, random);
    else if (loss === "pages") writeParts(inode, change, pageBytes, random);
    else if (random() < 0.5) inode.write(change.bytes, change.at);
  }
  if (loss !== "garbage") return;
  for (const page of holes) {
    if (random() < 0.5 || (page + 1) * pageBytes > inode.size) continue;
    inode.write(garbage(random), page * pageBytes);
  }
}

/** Writes some of the parts, as they lie on the disk, that a write touches. */
function writeParts(
  inode: Inode,
  { at, bytes }: Extract<Data, { kind: "write" }>,
  partBytes: number,
  random: Random,
): void {
  const end = at + bytes.length;
  for (let from = at; from < end;) {
    const to = Math.min(end, (Math.floor(from / partBytes) + 1) * partBytes);
    if (random() < 0.6) inode.write(bytes.subarray(from - at, to - at), from);
    from = to;
  }
}

function garbage(random: Random): Buffer {
  const bytes = Buffer.alloc(pageBytes);
  for (let at = 0; at < pageBytes; at += 4) bytes.writeUInt32LE((random() * 2 ** 32) >>> 0, at);
  return bytes;
}

function copyOf(
  files: MemoryFiles,
  inodes: ReadonlyMap<bigint, Inode>,
): [MemoryFiles, Map<bigint, Inode>] {
  const copy = files.copy();
  const copies = new Map(Array.from(copy.names.values(), (inode) => [inode.number, inode]));
  for (const [number, inode] of inodes) {
    if (!copies.has(number)) copies.set(number, inode.copyFor(copy));
  }
  return [copy, copies];
}

function applyTo(files: MemoryFiles, inodes: Map<bigint, Inode>, event: DiskEvent): void {
  switch (event.kind) {
    case "make":
      files.isMade = true;
      return;
    case "write":
      inodes.get(event.inode)?.write(event.bytes, event.at);
      return;
    case "truncate":
      inodes.get(event.inode)?.truncate(event.length);
      return;
    case "create": {
      const inode = inodes.get(event.inode) ?? new Inode(event.inode, files);
      inodes.set(event.inode, inode);
      files.adopt(event.name, inode);
      return;
    }
    case "rename": {
      const inode = files.names.get(event.from);
      if (inode === undefined) return;
      files.names.delete(event.from);
      files.names.set(event.to, inode);
      return;
    }
    case "unlink":
      files.names.delete(event.name);
      return;
    case "sync":
    case "syncNames":
      return;
  }
}
