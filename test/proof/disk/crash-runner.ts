// Takes a story, lets it crash at many of its changes, opens what each crash leaves with the engine
// in memory, and has the judge look at it. Called by ../crash-states.ts, the mutants and a test.
import { Fault } from "../proof.js";
import { CrashDisk, type Loss, losses, type Random } from "./crash-image.js";
import type { Engine } from "./engine.js";
import { fileSystemOver, MemoryFiles, pageBytes } from "./memory-files.js";
import { type DiskEvent, recorded } from "./recorded-files.js";
import { type Crash, StateJudge, type Verdicts } from "./state-judge.js";
import { ownerOf, type Story } from "./story.js";

const bootBefore = "00000000-0000-0000-0000-000000000000";
const bootAfter = "11111111-1111-1111-1111-111111111111";
/** Waits of one open or close, each a turn of the event loop with a round of the janitor. */
const turnsMax = 2000;

/** What was done, to be told at the end. */
export interface CrashAccount {
  states: number;
  /** Crashes of a recovery, within `states`. */
  again: number;
  reads: number;
  /** Values that had to be there, and were. */
  kept: number;
}

/** Told of what a recovery changes, and of its end. */
interface Watch {
  event(this: void, event: DiskEvent): void;
  opened(this: void): void;
}

export class CrashRunner {
  readonly account: CrashAccount = { states: 0, again: 0, reads: 0, kept: 0 };
  readonly #engine: Engine;
  readonly #story: Story;
  readonly #random: Random;
  readonly #judge: StateJudge;

  constructor(engine: Engine, story: Story, random: Random) {
    this.#engine = engine;
    this.#story = story;
    this.#random = random;
    this.#judge = new StateJudge(story);
  }

  /** Crashes about so often, spread over the whole story. Rejects with a Fault. */
  async run(states: number): Promise<void> {
    const { events } = this.#story;
    const disk = new CrashDisk(new MemoryFiles());
    const end = this.account.states + states;
    for (let position = 0; position <= events.length; position++) {
      const left = end - this.account.states;
      const share = left / (events.length - position + 1);
      for (let count = atRandom(share, this.#random); count > 0; count--) {
        await this.#crashAt(disk, position);
      }
      const event = events[position];
      if (event !== undefined) disk.apply(event);
    }
  }

  async #crashAt(disk: CrashDisk, position: number): Promise<void> {
    const random = this.#random;
    const next = this.#story.events[position];
    if (random() < 0.4 || !disk.isPending) {
      const bytes = next?.kind === "write" ? Math.floor(random() * (next.bytes.length + 1)) : 0;
      const crash: Crash = {
        kind: "kill",
        position,
        isNoisy: isTorn(next, bytes),
        isReopened: false,
      };
      const files = disk.killed(next, bytes);
      const name = `${this.#story.name}: kill at ${position}, ${bytes} bytes into ${next?.kind}`;
      await this.#judgeState(files, crash, name, () => disk.forked(partOf(next, bytes)));
      return;
    }
    const loss = losses[Math.floor(random() * losses.length)] as Loss;
    const isNoisy = loss === "garbage";
    const crash: Crash = { kind: "power", position, isNoisy, isReopened: false };
    const files = disk.lost(loss, random);
    const name = `${this.#story.name}: power loss at ${position}, ${loss}`;
    await this.#judgeState(files, crash, name, () => new CrashDisk(files));
  }

  /** `diskOf`: the disk in this state, for a crash of its recovery. */
  async #judgeState(
    files: MemoryFiles,
    crash: Crash,
    name: string,
    diskOf: () => CrashDisk,
  ): Promise<void> {
    const random = this.#random;
    const verdicts = this.#judge.verdicts(crash);
    files.bootId = crash.kind === "kill" ? bootBefore : bootAfter;
    if (random() < 0.8) {
      this.account.states += 1;
      await this.#open(files, verdicts, name, random() < 0.1);
      return;
    }
    const disk = diskOf();
    const events: DiskEvent[] = [];
    this.account.states += 1;
    let isOpen = false;
    await this.#open(files, verdicts, name, random() < 0.5, {
      event: (event) => void (isOpen || events.push(event)),
      opened: () => {
        isOpen = true;
      },
    });
    await this.#crashAgain(disk, events, crash, name);
  }

  /** The recovery of a state crashes, and is judged by what the first crash left room for. */
  async #crashAgain(
    disk: CrashDisk,
    events: readonly DiskEvent[],
    crash: Crash,
    name: string,
  ): Promise<void> {
    const random = this.#random;
    const stop = Math.floor(random() * (events.length + 1));
    for (const event of events.slice(0, stop)) disk.apply(event);
    const next = events[stop];
    const isKill = random() < 0.5;
    const bytes = next?.kind === "write" ? Math.floor(random() * (next.bytes.length + 1)) : 0;
    const loss = losses[Math.floor(random() * losses.length)] as Loss;
    const files = isKill ? disk.killed(next, bytes) : disk.lost(loss, random);
    const isPower = !isKill || crash.kind === "power";
    const isNoise = isKill ? isTorn(next, bytes) : loss === "garbage";
    const isNoisy = crash.isNoisy || isNoise;
    const again: Crash = { ...crash, kind: isPower ? "power" : "kill", isNoisy, isReopened: true };
    const bootBetween = crash.kind === "kill" ? bootBefore : bootAfter;
    files.bootId = isKill ? bootBetween : "22222222-2222-2222-2222-222222222222";
    this.account.states += 1;
    this.account.again += 1;
    const how = isKill ? `kill at ${stop}` : `power loss at ${stop}, ${loss}`;
    await this.#open(files, this.#judge.verdicts(again), `${name}; its recovery: ${how}`, false);
  }

  /** Opens a state, reads all keys, and closes it. `twice`: opens it again, where all that was
   *  there is to be there. */
  async #open(
    files: MemoryFiles,
    verdicts: Verdicts,
    name: string,
    twice: boolean,
    watch?: Watch,
  ): Promise<void> {
    const seen = fileSystemOver(files);
    this.#engine.useFileSystem(watch === undefined ? seen : recorded(seen, watch.event));
    const read = await this.#read(name, watch?.opened);
    const fault = this.#judge.fault(verdicts, read);
    if (fault !== "") throw new Fault(`${name}: ${fault}`);
    this.account.kept += verdicts.promised.size;
    if (!twice) return;
    const again = await this.#read(`${name}, opened again`);
    for (const [key, value] of read) {
      const isRight = again.get(key) === value || (value !== undefined && !this.#story.hasRoom);
      if (!isRight) throw new Fault(`${name}: ${key} was ${String(value)}, then another`);
    }
  }

  async #read(
    name: string,
    opened: () => void = () => undefined,
  ): Promise<Map<string, string | undefined>> {
    const engine = this.#engine;
    const read = new Map<string, string | undefined>();
    try {
      const cache = await engine.attend(engine.openCache(this.#story.options), turnsMax);
      opened();
      for (const key of this.#story.keys) {
        read.set(key, await ownerOf(cache, key).get(key));
        this.account.reads += 1;
      }
      await engine.attend(cache.close(), turnsMax);
      return read;
    } catch (error) {
      const { code = "no code", stack } = error as Error & { readonly code?: string };
      throw new Fault(`${name}: ${code}: ${String(stack)}`);
    }
  }
}

/** A number of times whose mean is `share`. */
function atRandom(share: number, random: Random): number {
  const whole = Math.floor(share);
  return whole + (random() < share - whole ? 1 : 0);
}

/** Whether a kill has cut a write within a page. No system does that: it copies a page at a time.
 *  Nothing may be wrong then, but the slot or tombstone is damaged, and its segment may be lost. */
function isTorn(event: DiskEvent | undefined, bytes: number): boolean {
  if (event?.kind !== "write" || bytes === 0 || bytes === event.bytes.length) return false;
  return (event.at % pageBytes) + event.bytes.length <= pageBytes;
}

function partOf(event: DiskEvent | undefined, bytes: number): DiskEvent | undefined {
  if (event?.kind !== "write" || bytes === 0) return undefined;
  return { ...event, bytes: event.bytes.subarray(0, bytes) };
}
