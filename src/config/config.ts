// The configuration of a cache, checked once at open. Code below it checks no option again and has
// no defaults. Invariant: a Config is plain data (no functions), so it can be posted to workers.

import { resolve } from "node:path";

import { GiB, isWellFormed, KiB, MiB, parseDuration, parseSize } from "../base/mod.js";
import { encryptionKeysOf } from "./disk/encryption-options.js";
import { type AdmissionConfig, admissionOf } from "./retention/admission.js";
import { type EvictionConfig, evictionOf } from "./retention/eviction-options.js";
import type { CacheOptions } from "./options.js";
import {
  assertOptions,
  optionsOf,
  oneOf,
  optionRangeError,
  optionTypeError,
} from "./option-error.js";
import { fetchDefaultsOf, parseTtl, type OperationDefaults } from "./operation-options.js";

/** A checked configuration: every value present, in bytes and milliseconds, frozen, cloneable. */
export interface Config extends OperationDefaults {
  readonly name: string;
  /** What is stored belongs to it; "" = none. */
  readonly version: string;
  /** The most that it may be, for which the index and the tables are made. */
  readonly memoryBytes: number;
  /** What it is at first. */
  readonly memoryNowBytes: number;
  readonly disk: {
    readonly path: string;
    /** The most that it may be, for which the index is made. */
    readonly capacityBytes: number;
    /** What it is at first. */
    readonly capacityNowBytes: number;
    readonly admission: AdmissionConfig;
    /** The most to bring back to memory after open; 0 for nothing. */
    readonly preloadBytes: number;
    /** Whether a writer evicts what is not on disk yet when it finds no other room. */
    readonly evictsUnwritten: boolean;
    /** Most segment files open at once, over all threads. */
    readonly openFiles: number;
    readonly whenLocked: WhenLocked;
    /** Whether files are encrypted. The keys are not here: every thread gets this. */
    readonly isEncrypted: boolean;
    /** Whether the processes of the host share the directory. */
    readonly isShared: boolean;
  } | null;
  readonly eviction: EvictionConfig;
  readonly near: {
    readonly mode: "shared" | "frozen" | "copy";
    readonly maxEntries: number;
    readonly maxBytes: number;
  } | null;
  readonly classInstances: "throw" | "plain";
  readonly codec: "msgpack" | "json" | "custom";
  /** "msgpack", "json", or the custom codec's own name; the manifest of a directory records it. */
  readonly codecName: string;
  /** Whether operators are answered. */
  readonly operators: boolean;
}

/** What to do while another cache has the directory. */
export type WhenLocked = "throw" | "memory" | { readonly waitMs: number };

export const memoryBytesMin = MiB;
/** 65,536 pages of 64 KiB, less one, so that every offset and every end of a range fits 32 bits. */
export const memoryBytesMax = 4 * GiB - 64 * KiB;
export const diskBytesMin = MiB;
export const nameLengthMax = 64;
/** The identity index is a Map, which holds at most 2^24 entries. */
export const nearEntriesMax = 2 ** 24;
/** The near cache's bounds where none are given: a share of `memory`, within limits, since each
 *  thread has one and the garbage collector walks it. */
const nearMemoryPerEntry = KiB;
const nearEntriesDefaultMax = 2 ** 19;
const nearMemoryShare = 1 / 4;
const nearBytesDefaultMax = 64 * MiB;

/** With the fixed files, the lock and the janitor's own descriptors 32 at most. */
const openFilesDefault = 20;
/** As many as a directory may have. */
const openFilesMax = 128;

const diskOptionNames = [
  "path",
  "capacity",
  "admission",
  "preload",
  "whenBehind",
  "whenLocked",
  "share",
  "openFiles",
  "encryption",
];

const cacheOptionNames = [
  "name",
  "memory",
  "disk",
  "ttl",
  "staleFor",
  "negativeTtl",
  "timeout",
  "refreshAfter",
  "jitter",
  "version",
  "eviction",
  "near",
  "classInstances",
  "codec",
  "operators",
  "clock",
  // Checked by the cache, which has the events and the tiers.
  "on",
  "tiers",
] as const;

/**
 * Checks `options` and fills in the defaults. The only maker of a {@link Config}.
 *
 * @throws TypeError or RangeError naming the option, the value given and what is allowed.
 */
export function resolveConfig(options: CacheOptions<unknown>): Config {
  assertOptions("", options, cacheOptionNames);
  assertClock(options.clock);
  const ttlMs = options.ttl === undefined ? Infinity : parseTtl("ttl", options.ttl);
  const staleForMs =
    options.staleFor === undefined ? 0 : parseDuration("staleFor", options.staleFor);
  const setDefaults = Object.freeze({ ttlMs, staleForMs, tags: Object.freeze<string[]>([]) });
  const codecName = codecNameOf(options.codec);
  return Object.freeze({
    name: options.name === undefined ? "default" : checkedName("name", options.name),
    version: options.version === undefined ? "" : checkedName("version", options.version),
    ...memoryOf(options.memory),
    disk: diskOf(options.disk, memoryOf(options.memory).memoryBytes),
    eviction: evictionOf(options.eviction),
    near: nearOf(options.near, memoryOf(options.memory).memoryBytes),
    classInstances: oneOf("classInstances", options.classInstances, ["throw", "plain"], "throw"),
    codec: typeof options.codec === "object" ? "custom" : (options.codec ?? "msgpack"),
    codecName,
    operators: flagOf("operators", options.operators, options.disk !== undefined),
    setDefaults,
    fetchDefaults: fetchDefaultsOf(setDefaults, options),
  });
}

function flagOf(option: string, given: unknown, byDefault: boolean): boolean {
  if (given === undefined) return byDefault;
  if (typeof given === "boolean") return given;
  throw optionTypeError(option, given, "true or false");
}

/** A name or a version. Throws TypeError or RangeError. */
export function checkedName(option: string, name: unknown): string {
  const allowed = `a string of 1 to ${nameLengthMax} characters`;
  if (typeof name !== "string") throw optionTypeError(option, name, allowed);
  if (name.length === 0 || name.length > nameLengthMax) {
    throw optionRangeError(option, name, allowed);
  }
  // The name is stored as UTF-8, where two names with lone surrogates could become the same.
  if (!isWellFormed(name)) throw optionRangeError(option, name, `${allowed}, no lone surrogates`);
  return name;
}

/** The option `memory`: a size, or what it is at first and at most. */
function memoryOf(memory: unknown): Pick<Config, "memoryBytes" | "memoryNowBytes"> {
  if (typeof memory !== "object" || memory === null) {
    const bytes = memoryBytesOf(memory);
    return { memoryBytes: bytes, memoryNowBytes: bytes };
  }
  const { now, most } = optionsOf("memory", memory, ["now", "most"], "a size, or ");
  if (most === undefined) throw optionTypeError("memory.most", most, "a size");
  const memoryBytes = memoryBytesOf(most, "memory.most");
  const memoryNowBytes = now === undefined ? memoryBytes : memoryBytesOf(now, "memory.now");
  if (memoryNowBytes <= memoryBytes) return { memoryBytes, memoryNowBytes };
  throw optionRangeError("memory.now", now, `at most memory.most, ${memoryBytes} bytes`);
}

/** Parses and checks an amount of memory. Returns bytes. */
export function memoryBytesOf(memory: unknown, option = "memory"): number {
  const bytes = parseSize(option, memory === undefined ? "64mb" : memory);
  if (bytes < memoryBytesMin) {
    throw optionRangeError(option, memory, 'at least 1 MiB ("1mb"), which index and segments need');
  }
  if (bytes > memoryBytesMax) {
    throw optionRangeError(
      option,
      memory,
      `at most ${memoryBytesMax} bytes (4 GiB - 64 KiB), ` +
        "since one cache is one WebAssembly memory of 32-bit offsets",
    );
  }
  return bytes;
}

function diskOf(disk: unknown, memoryBytes: number): Config["disk"] {
  if (disk === undefined) return null;
  const given = optionsOf("disk", disk, diskOptionNames);
  const path = given["path"];
  if (typeof path !== "string") throw optionTypeError("disk.path", path, "the path of a directory");
  if (path === "" || path.includes("\0")) {
    throw optionRangeError("disk.path", path, "the path of a directory, not empty, without NUL");
  }
  const capacity = capacityOf(given["capacity"]);
  const admission = admissionOf(given["admission"]);
  const preloadBytes = preloadOf(given["preload"], memoryBytes);
  const whenBehind = given["whenBehind"];
  if (whenBehind !== undefined && whenBehind !== "refuse" && whenBehind !== "evict") {
    throw optionRangeError("disk.whenBehind", whenBehind, '"refuse" or "evict"');
  }
  const evictsUnwritten = whenBehind === "evict";
  const openFiles = openFilesOf(given["openFiles"]);
  const whenLocked = whenLockedOf(given["whenLocked"]);
  const isEncrypted = encryptionKeysOf(disk) !== null;
  const isShared = isSharedBy(given);
  if (isShared && memoryBytes < 2 * memoryBytesMin) {
    const text = 'at least 2 MiB with disk.share "host": each process has half of it for itself';
    throw optionRangeError("memory", memoryBytes, text);
  }
  const kept = { preloadBytes, evictsUnwritten, openFiles, whenLocked, isEncrypted, isShared };
  return Object.freeze({ path: resolve(path), ...capacity, admission, ...kept });
}

/** The option `disk.capacity`: a size, or what it is at first and at most. */
function capacityOf(
  capacity: unknown,
): Pick<NonNullable<Config["disk"]>, "capacityBytes" | "capacityNowBytes"> {
  const option = "disk.capacity";
  if (typeof capacity !== "object" || capacity === null) {
    const bytes = diskBytesOf(capacity === undefined ? "1gb" : capacity, option);
    return { capacityBytes: bytes, capacityNowBytes: bytes };
  }
  const { now, most } = optionsOf(option, capacity, ["now", "most"], "a size, or ");
  if (most === undefined) throw optionTypeError(`${option}.most`, most, "a size");
  const capacityBytes = diskBytesOf(most, `${option}.most`);
  const capacityNowBytes = now === undefined ? capacityBytes : diskBytesOf(now, `${option}.now`);
  if (capacityNowBytes <= capacityBytes) return { capacityBytes, capacityNowBytes };
  throw optionRangeError(`${option}.now`, now, `at most ${option}.most, ${capacityBytes} bytes`);
}

/** Parses and checks an amount of disk. Returns bytes. */
export function diskBytesOf(disk: unknown, option: string): number {
  const bytes = parseSize(option, disk);
  if (bytes >= diskBytesMin) return bytes;
  throw optionRangeError(option, disk, 'at least 1 MiB ("1mb")');
}

/** The option `share`, which has its own answer to what `whenLocked` says, and knows no keys of the
 *  user's where the disk is written. */
function isSharedBy(given: Readonly<Record<string, unknown>>): boolean {
  const { share, whenLocked, admission } = given;
  if (oneOf("disk.share", share, ["none", "host"], "none") === "none") return false;
  if (whenLocked !== undefined) {
    const text = 'not there beside share: "host", by which no process is refused';
    throw optionRangeError("disk.whenLocked", whenLocked, text);
  }
  const filter: unknown = Reflect.get(Object(admission) as object, "filter");
  if (filter === undefined) return true;
  const text = 'not there beside share: "host", since the process that writes may be another';
  throw optionRangeError("disk.admission.filter", filter, text);
}

function openFilesOf(openFiles: unknown): number {
  if (openFiles === undefined) return openFilesDefault;
  const allowed = `a whole number from 1 to ${openFilesMax}`;
  if (typeof openFiles !== "number") throw optionTypeError("disk.openFiles", openFiles, allowed);
  if (Number.isInteger(openFiles) && openFiles >= 1 && openFiles <= openFilesMax) return openFiles;
  throw optionRangeError("disk.openFiles", openFiles, allowed);
}

function whenLockedOf(given: unknown): WhenLocked {
  const or = ", or an object { wait }";
  if (typeof given !== "object" || given === null) {
    return oneOf<"throw" | "memory">("disk.whenLocked", given, ["throw", "memory"], "throw", or);
  }
  const { wait } = optionsOf("disk.whenLocked", given, ["wait"]);
  if (wait === undefined) throw optionTypeError("disk.whenLocked.wait", wait, "a duration");
  return Object.freeze({ waitMs: parseDuration("disk.whenLocked.wait", wait) });
}

function preloadOf(preload: unknown, memoryBytes: number): number {
  if (preload === false) return 0;
  const bytes = preload === undefined ? memoryBytes / 4 : parseSize("disk.preload", preload);
  if (bytes >= 1) return bytes;
  throw optionRangeError("disk.preload", preload, "at least 1 byte, or false for nothing");
}

function nearOf(near: unknown, memoryBytes: number): Config["near"] {
  if (near === false) return null;
  const names = ["mode", "maxEntries", "maxBytes"];
  const given = optionsOf("near", near === undefined ? {} : near, names, "false or ");
  const fitting = Math.min(nearEntriesDefaultMax, Math.floor(memoryBytes / nearMemoryPerEntry));
  const maxEntries = given["maxEntries"] === undefined ? fitting : given["maxEntries"];
  const allowed = `a whole number from 1 to ${nearEntriesMax}`;
  if (typeof maxEntries !== "number") {
    throw optionTypeError("near.maxEntries", maxEntries, allowed);
  }
  if (!Number.isInteger(maxEntries) || maxEntries < 1 || maxEntries > nearEntriesMax) {
    throw optionRangeError("near.maxEntries", maxEntries, allowed);
  }
  const share = Math.min(nearBytesDefaultMax, Math.floor(memoryBytes * nearMemoryShare));
  const maxBytes = given["maxBytes"] === undefined ? share : given["maxBytes"];
  const bytes = parseSize("near.maxBytes", maxBytes);
  if (bytes < 1) throw optionRangeError("near.maxBytes", maxBytes, "at least 1 byte");
  const mode = oneOf("near.mode", given["mode"], ["shared", "frozen", "copy"], "shared");
  return Object.freeze({ mode, maxEntries, maxBytes: bytes });
}

/** The name of a checked `codec` option: "msgpack", "json" or the custom codec's own. */
export function codecNameOf(codec: unknown): string {
  if (typeof codec !== "object" || codec === null) {
    const or = ", or an object { name, encode, decode }";
    return oneOf("codec", codec, ["msgpack", "json"], "msgpack", or);
  }
  // Other members are allowed, since a codec may be an instance of a class.
  const { name, encode, decode } = codec as Readonly<Record<string, unknown>>;
  if (typeof encode !== "function") {
    throw optionTypeError("codec.encode", encode, "a function from a value to a Uint8Array");
  }
  if (typeof decode !== "function") {
    throw optionTypeError("codec.decode", decode, "a function from a Uint8Array to a value");
  }
  return checkedName("codec.name", name);
}

function assertClock(clock: unknown): void {
  if (clock === undefined) return;
  const now: unknown =
    typeof clock === "object" && clock !== null ? Reflect.get(clock, "now") : undefined;
  if (typeof now !== "function") {
    throw optionTypeError("clock", clock, "an object with now(), which gives milliseconds");
  }
}
