// Opens damaged, hostile and planted files with the engine in memory, and judges what comes.
// Called by ../damaged-files.ts, the mutants and a test.
import xxhash from "xxhash-wasm";

import { Fault } from "../proof.js";
import { CrashDisk, type Random } from "./crash-image.js";
import { accidents, attacks, type Damage, flip, forge, offsetsOf } from "./damage.js";
import type { Engine } from "./engine.js";
import { fileSystemOver, MemoryFiles } from "./memory-files.js";
import { StateJudge, type Verdicts } from "./state-judge.js";
import { ownerOf, type Plot, type Story, tell } from "./story.js";

const plot: Plot = {
  name: "damaged",
  sessions: 2,
  calls: 60,
  keys: 20,
  bytesMax: 200,
  hasRoom: true,
};
/** What an open may say of files that somebody has put there. */
const refusals = new Set([
  "ERR_DIRECTORY_NOT_OURS",
  "ERR_FORMAT_VERSION",
  "ERR_ENCRYPTION_KEY",
  "ERR_DISK_IO",
]);
/** Bytes that an open with its reads and its close may move: some times what a directory has. */
const movedMax = 32 * 2 ** 20;
const turnsMax = 2000;

/** A directory before it is damaged, and what may be read of it. */
interface Base {
  readonly name: string;
  readonly files: MemoryFiles;
  readonly verdicts: Verdicts;
}

export interface DamageAccount {
  opens: number;
  refused: number;
  hits: number;
}

export class DamageRunner {
  readonly account: DamageAccount = { opens: 0, refused: 0, hits: 0 };
  readonly #engine: Engine;
  readonly #random: Random;
  readonly #story: Story;
  readonly #judge: StateJudge;
  readonly #bases: readonly Base[];
  readonly #h64: (bytes: Uint8Array, seed?: bigint) => bigint;

  private constructor(
    engine: Engine,
    random: Random,
    story: Story,
    h64: (bytes: Uint8Array, seed?: bigint) => bigint,
  ) {
    this.#engine = engine;
    this.#random = random;
    this.#story = story;
    this.#h64 = h64;
    this.#judge = new StateJudge(story);
    this.#bases = this.#makeBases();
  }

  static async make(engine: Engine, random: Random): Promise<DamageRunner> {
    engine.seed(random);
    const hasher = await xxhash();
    const h64 = (bytes: Uint8Array, start?: bigint): bigint => hasher.h64Raw(bytes, start);
    return new DamageRunner(engine, random, await tell(engine, plot, random), h64);
  }

  /** A directory that was closed, and ones whose processes were killed. */
  #makeBases(): Base[] {
    const { events } = this.#story;
    const positions = [
      events.length,
      ...[0.95, 0.7, 0.4].map((at) => Math.floor(at * events.length)),
    ];
    return positions.map((position) => {
      const disk = new CrashDisk(new MemoryFiles());
      for (const event of events.slice(0, position)) disk.apply(event);
      const name = position === events.length ? "closed" : `killed at ${position}`;
      const crash = { kind: "kill", position, isNoisy: true, isReopened: true } as const;
      return { name, files: disk.killed(undefined, 0), verdicts: this.#judge.verdicts(crash) };
    });
  }

  /** How many bytes there are to change, each by so many masks. */
  flipCount(masks: readonly number[]): number {
    const inodes = this.#bases.flatMap(({ files }) => Array.from(files.names.values()));
    const bytes = inodes.reduce((sum, inode) => sum + offsetsOf(inode.bytes()).length, 0);
    return bytes * masks.length;
  }

  /** Changes each byte that means something in each file, one at a time: every `step`th of them,
   *  by each of the masks. */
  async flips(masks: readonly number[], step: number, onDone: () => void): Promise<void> {
    let turn = 0;
    for (const base of this.#bases) {
      for (const [name, inode] of base.files.names) {
        for (const at of offsetsOf(inode.bytes())) {
          for (const mask of masks) {
            turn += 1;
            if (turn % step !== 0) continue;
            const files = base.files.copy();
            flip(files, name, at, mask);
            const text = `${base.name}: ${name}, byte ${at}, bits ${mask.toString(2)}`;
            await this.#open(files, base.verdicts, text, false);
            onDone();
          }
        }
      }
    }
  }

  /** Damages one of the directories somehow. */
  async hurt(): Promise<void> {
    const random = this.#random;
    const base = this.#pick(this.#bases);
    const files = base.files.copy();
    if (random() < 0.5) {
      const what = this.#pick<Damage>(accidents)(files, random);
      await this.#open(files, base.verdicts, `${base.name}: ${what}`, false);
      return;
    }
    const words: string[] = [];
    for (let left = 1 + Math.floor(random() * 3); left > 0; left--) {
      const isForged = random() < 0.4;
      words.push(
        isForged ? forge(files, random, this.#h64) : this.#pick<Damage>(attacks)(files, random),
      );
    }
    await this.#open(files, null, `${base.name}: ${words.join(", ")}`, true);
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }

  /** `verdicts`: null where what is read may be anything. */
  async #open(
    files: MemoryFiles,
    verdicts: Verdicts | null,
    name: string,
    mayRefuse: boolean,
  ): Promise<void> {
    const engine = this.#engine;
    const { options, keys } = this.#story;
    engine.useFileSystem(fileSystemOver(files));
    this.account.opens += 1;
    const read = new Map<string, unknown>();
    try {
      const cache = await engine.attend(engine.openCache(options), turnsMax);
      for (const key of keys) {
        const value: unknown = await ownerOf(cache, key).get(key);
        if (value !== undefined) this.account.hits += 1;
        read.set(key, value);
      }
      cache.set("another", "value");
      if (cache.getSync("another") !== "value") throw new Error("a set is not read");
      await engine.attend(cache.close(), turnsMax);
    } catch (error) {
      const { code = "", stack } = error as Error & { readonly code?: string };
      const isAllowed = mayRefuse ? refusals.has(code) : false;
      if (!isAllowed) throw new Fault(`${name}: ${code}: ${String(stack)}`);
      this.account.refused += 1;
    }
    if (files.openCount > 0) throw new Fault(`${name}: ${files.openCount} files stay open`);
    if (files.moved > movedMax) throw new Fault(`${name}: ${files.moved} bytes were moved`);
    const fault = verdicts === null ? "" : this.#judge.fault(verdicts, read);
    if (fault !== "") throw new Fault(`${name}: ${fault}`);
  }
}
