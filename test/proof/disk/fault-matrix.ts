// Each call to the file system fails in each way in each phase of a cache's life, once or for a
// while. The cache goes on, says what it must, forgets rather than lies, and comes back.
import { setImmediate as turn } from "node:timers/promises";

import { Fault } from "../proof.js";
import type { Cache, CacheOptions } from "../../../src/mod.js";
import type { Random } from "./crash-image.js";
import type { Engine } from "./engine.js";
import {
  canFail,
  type FailingCall,
  failingCalls,
  type Failure,
  failures,
  FaultSwitch,
  faulty,
} from "./faulty-files.js";
import { fileSystemOver, MemoryFiles, root } from "./memory-files.js";
import { valueOf } from "./story.js";

const phases = ["open", "work", "flush", "sync", "resize", "close"] as const;
type Phase = (typeof phases)[number];

/** One cell of the matrix. */
export interface FaultCell {
  readonly call: FailingCall;
  readonly failure: Failure;
  readonly phase: Phase;
  /** Fails until it is mended; else once. */
  readonly lasts: boolean;
}

/** Every cell that means something. */
export function faultCells(): FaultCell[] {
  const cells: FaultCell[] = [];
  for (const call of failingCalls) {
    for (const failure of failures.filter((one) => canFail(call, one))) {
      for (const phase of phases) {
        for (const lasts of [false, true]) cells.push({ call, failure, phase, lasts });
      }
    }
  }
  return cells;
}

/** What a call may reject or throw with while files fail. */
const sayings = new Set([
  "ERR_DISK_IO",
  "ERR_DIRECTORY_NOT_WRITABLE",
  "ERR_DIRECTORY_NOT_OURS",
  "ERR_NOT_A_DIRECTORY",
  "ERR_WORKER",
]);
const keys = Array.from({ length: 60 }, (_, number) => `key-${number}`);
const turnsMax = 3000;
/** Longer than a tier that is down waits until it tries again. */
const retryMs = 6_000;

/** A cache in which one call fails. */
class Patient {
  readonly #engine: Engine;
  readonly #random: Random;
  readonly fault: FaultSwitch;
  readonly files = new MemoryFiles();
  readonly events: string[] = [];
  /** What there must be now, or nothing. */
  readonly truth = new Map<string, string>();
  now = 1_700_000_000_000;
  #version = 0;
  readonly #promises: (() => Promise<void>)[] = [];
  cache: Cache<string> | undefined;

  constructor(engine: Engine, random: Random, { call, failure }: FaultCell) {
    this.#engine = engine;
    this.#random = random;
    this.fault = new FaultSwitch(call, failure);
    engine.useFileSystem(faulty(fileSystemOver(this.files), this.fault));
  }

  get #options(): CacheOptions<string> {
    const disk = { path: root, capacity: { now: "2mb", most: "3mb" }, preload: false as const };
    const on = {
      "tier-down": () => void this.events.push("down"),
      "tier-up": () => void this.events.push("up"),
    };
    const clock = { now: () => this.now };
    return { memory: "1mb", near: false, operators: false, clock, disk, on };
  }

  /** The code of what a call rejects with, "" if it resolves. */
  async says(call: () => Promise<unknown>): Promise<string> {
    try {
      await this.#engine.attend(call(), turnsMax);
      return "";
    } catch (error) {
      const { code = "", stack } = error as Error & { readonly code?: string };
      if (sayings.has(code)) return code;
      throw new Fault(`${code}: ${String(stack)}`);
    }
  }

  async open(): Promise<string> {
    this.events.length = 0;
    return this.says(async () => {
      this.cache = await this.#engine.openCache(this.#options);
    });
  }

  get #open(): Cache<string> {
    if (this.cache === undefined) throw new Error("the cache is open");
    return this.cache;
  }

  /** Sets, deletes and reads, so that all parts of the disk tier have something to do. */
  async work(calls: number): Promise<void> {
    const cache = this.#open;
    for (let left = calls; left > 0; left--) {
      const key = keys[Math.floor(this.#random() * keys.length)] as string;
      const chance = this.#random();
      if (chance < 0.5) this.#set(key);
      else if (chance < 0.65) this.#delete(key);
      else if (chance < 0.68) this.#deleteByTag();
      else if (chance < 0.9) await this.#look(key);
      else this.#engine.rounds(1);
    }
    if (cache.stats().disk === null) throw new Fault("the cache has lost its disk");
  }

  #set(key: string): void {
    this.#version += 1;
    const value = valueOf(key, this.#version, Math.floor(this.#random() ** 2 * 9000));
    const outcome = this.#open.set(key, value, { tags: [tagOf(key)] });
    if (outcome === "stored") this.truth.set(key, value);
    else this.truth.delete(key);
  }

  #delete(key: string): void {
    this.#open.delete(key);
    this.truth.delete(key);
  }

  #deleteByTag(): void {
    this.#open.deleteByTag("tag-1");
    for (const key of keys) if (tagOf(key) === "tag-1") this.truth.delete(key);
  }

  async #look(key: string): Promise<void> {
    // What is never answered is answered at the end.
    const isWithheld = this.fault.failure === "never" && this.fault.failed > 0;
    const got = this.#open.get(key);
    if (isWithheld) void got.then((value) => this.#check(key, value, true));
    else if (this.fault.failure === "never") await Promise.race([got, this.turns()]);
    else this.#check(key, await this.#engine.attend(got, turnsMax), false);
  }

  async turns(): Promise<void> {
    for (let left = 10; left > 0; left--) await this.#engine.attend(turn());
  }

  #check(key: string, value: string | undefined, isLate: boolean): void {
    if (value === undefined || value === this.truth.get(key) || isLate) return;
    throw new Fault(`${key} is ${value.slice(0, 12)}, not ${this.truth.get(key)?.slice(0, 12)}`);
  }

  /** Reads everything; answers how much is there. */
  async readAll(): Promise<number> {
    let found = 0;
    for (const key of keys) {
      const value = await this.#engine.attend(this.#open.get(key), turnsMax);
      this.#check(key, value, false);
      if (value !== undefined) found += 1;
    }
    return found;
  }

  async flush(fsync: boolean): Promise<string> {
    return this.says(() => this.#open.flush({ fsync }));
  }

  async resize(disk: string): Promise<string> {
    return this.says(() => this.#open.resize({ disk }));
  }

  async close(): Promise<string> {
    const said = await this.says(() => this.#open.close());
    this.cache = undefined;
    return said;
  }

  /** A flush has resolved: that is a promise that a kill now loses nothing. Looked at by
   *  `keepPromises`. */
  promise(): void {
    const files = this.files.copy();
    const truth = new Map(this.truth);
    const found = [...truth.keys()].filter((key) => this.#open.has(key)).length;
    this.#promises.push(async () => {
      this.#engine.useFileSystem(fileSystemOver(files));
      this.truth.clear();
      for (const [key, value] of truth) this.truth.set(key, value);
      await mustSay("", this.open());
      const kept = await this.readAll();
      await this.close();
      if (kept < found) throw new Fault(`of ${found} flushed entries a kill leaves ${kept}`);
    });
  }

  /** Opens what a kill would have left after each flush that resolved. The cache is closed. */
  async keepPromises(): Promise<void> {
    for (const one of this.#promises) await one();
  }

  /** Whether a sync has failed since the open: a flush says so for good. */
  async isSyncLost(): Promise<boolean> {
    const { call, failed } = this.fault;
    if (!call.startsWith("fsync") || failed === 0) return false;
    return (await this.flush(false)) === "ERR_DISK_IO";
  }

  get isUp(): boolean {
    return this.#open.stats().disk?.state === "up";
  }

  /** Time passes, and the opener hears what the janitor says. */
  async tick(): Promise<void> {
    this.now += retryMs;
    await this.turns();
  }
}

function tagOf(key: string): string {
  return `tag-${Number(key.slice(4)) % 4}`;
}

/** Runs one cell. Rejects with a Fault; answers how often the call failed. */
export async function runCell(engine: Engine, random: Random, cell: FaultCell): Promise<number> {
  const patient = new Patient(engine, random, cell);
  const often = cell.lasts ? "for a while" : "once";
  const name = `${cell.call} ${cell.failure} ${often} at ${cell.phase}`;
  try {
    await patient.open();
    await patient.work(60);
    await patient.flush(true);
    await suffer(patient, cell, random);
    return patient.fault.failed;
  } catch (error) {
    throw new Fault(`${name}: ${String((error as Error).stack)}`);
  } finally {
    patient.fault.turnOff();
    if (patient.cache !== undefined) await patient.close().catch(() => undefined);
  }
}

async function suffer(patient: Patient, cell: FaultCell, random: Random): Promise<void> {
  const { fault } = patient;
  const after = Math.floor(random() ** 2 * 12);
  const turnOn = (): void => fault.turnOn(cell.lasts ? Infinity : 1, after);
  if (cell.phase === "open" || cell.phase === "close") {
    await patient.work(20);
    if (cell.phase === "close") turnOn();
    await unanswered(patient, () => patient.close());
    fault.turnOff();
    if (cell.phase === "open") turnOn();
    const said = await unanswered(patient, () => patient.open());
    fault.turnOff();
    if (said !== "" || patient.cache === undefined) await mustSay("", patient.open());
    await patient.readAll();
  } else {
    turnOn();
    await patient.work(60);
    await phaseOf(patient, cell.phase);
    await patient.work(10);
    fault.turnOff();
  }
  await comesBack(patient, cell);
}

async function promised(patient: Patient, fsync: boolean): Promise<void> {
  const { failure } = patient.fault;
  const said = await unanswered(patient, () => patient.flush(fsync));
  if (said === "" && failure !== "never") patient.promise();
}

async function phaseOf(patient: Patient, phase: Phase): Promise<void> {
  if (phase === "flush") await promised(patient, false);
  if (phase === "sync") {
    await promised(patient, true);
    await promised(patient, false);
  }
  if (phase !== "resize") return;
  await unanswered(patient, () => patient.resize("3mb"));
  await unanswered(patient, () => patient.resize("2mb"));
}

/** A call of which a part may never be answered: then it is, after a while. */
async function unanswered(patient: Patient, call: () => Promise<string>): Promise<string> {
  if (patient.fault.failure !== "never") return call();
  const said = call();
  await patient.turns();
  patient.fault.turnOff();
  return said;
}

async function mustSay(wanted: string, said: Promise<string>): Promise<void> {
  const got = await said;
  if (got !== wanted)
    throw new Fault(
      `it says ${got || "nothing"}, not ${wanted || "nothing"}, though nothing fails now`,
    );
}

/** The fault is over: the tier is up again, a flush reaches it, and a kill loses nothing of it. */
async function comesBack(patient: Patient, { call, phase }: FaultCell): Promise<void> {
  await patient.tick();
  if (!patient.isUp) await patient.flush(false);
  await patient.tick();
  if (!patient.isUp) throw new Fault("the tier stays down although nothing fails any more");
  if (patient.events.at(-1) === "down") throw new Fault("nobody was told that the tier is up");
  await patient.work(20);
  const isLost = await patient.isSyncLost();
  // Then the janitor alone syncs at once, and the opener's next sync would not hear of it.
  const isJanitors = call === "fsyncSync" && ["work", "flush", "sync"].includes(phase);
  if (isJanitors && patient.fault.failed > 0 && !isLost) throw new Fault("a lost sync is not told");
  if (isLost) await startsAnew(patient);
  else await mustSay("", patient.flush(false));
  patient.promise();
  const found = await patient.readAll();
  await mustSay("", patient.close());
  await mustSay("", patient.open());
  const kept = await patient.readAll();
  if (kept < found) throw new Fault(`of ${found} entries a close leaves ${kept}`);
  await patient.close();
  await patient.keepPromises();
}

/** What a sync that failed has lost nobody knows, so nothing is kept, and whoever flushes or closes
 *  is told. The next cache there is as good as any. */
async function startsAnew(patient: Patient): Promise<void> {
  await mustSay("ERR_DISK_IO", patient.flush(true));
  await mustSay("ERR_DISK_IO", patient.close());
  await mustSay("", patient.open());
  if ((await patient.readAll()) > 0) throw new Fault("it keeps what may be lost");
  await patient.work(20);
  await mustSay("", patient.flush(false));
}
