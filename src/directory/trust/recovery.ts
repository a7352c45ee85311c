// Decides from the manifest and the files what may come back from earlier sessions. Pure;
// openDirectory calls it and carries the decision out.
// Invariant: when in doubt, less comes back. A cache may forget; it must not return an older value.

import { isSameBoot } from "./boot.js";
import type { DirectoryListing } from "../directory-files.js";
import { type Geometry, isGeometry, refitGeometry, unusedBytes } from "../geometry.js";
import type { ManifestFields, ManifestReading } from "../manifest.js";
import type { NamespaceSlot } from "../namespace-slots.js";
import { resumeTime } from "./session-time.js";
import { unsyncedStorage } from "./storage.js";
import type { RecoveryFilter } from "../../disk/mod.js";

/**
 * - `new`: the directory was empty.
 * - `clean`: it was closed cleanly; the index snapshot may be used.
 * - `scan`: the segments must be scanned.
 * - `barrier`: they are scanned, and only what the last barrier covers is kept.
 * - `cold`: everything was dropped.
 */
export type RecoveryKind = "new" | "clean" | "scan" | "barrier" | "cold";

/** What an open found, and what a scan must leave out. */
export interface Recovery extends RecoveryFilter {
  readonly kind: RecoveryKind;
  /** Why, for people to read. */
  readonly reason: string;
  /**
   * Segments whose records are lost: missing, of the wrong length, surplus under a smaller
   * capacity, or dropped by a cold start.
   */
  readonly lostSegments: number;
}

/** The options of this open, the time and the boot. */
export interface OpenCircumstances {
  readonly capacityBytes: number;
  readonly capacityMostBytes?: number;
  readonly maxRecordBytes: number;
  readonly leastRecordBytes: number;
  readonly tagSlots: number;
  readonly codecName: string;
  /** "" = none. */
  readonly version: string;
  readonly wallNow: number;
  /** The uptime of the machine, null if it says nothing of `wallNow`. */
  readonly uptimeMs: number | null;
  readonly bootId: string;
  readonly storage: string;
  /** Whether what is stored is to be encrypted. */
  readonly isEncrypted: boolean;
}

/** The decision. `keep` is null if the directory starts empty. */
export interface RecoveryPlan {
  readonly recovery: Recovery;
  readonly keep: { readonly fields: ManifestFields; readonly geometry: Geometry } | null;
}

/** What recovery needs of the epochs file. */
export interface EpochsFound {
  readonly clear: number;
  readonly namespaces: readonly NamespaceSlot[];
}

/** What an open found in the directory. */
export interface DirectoryFound {
  readonly reading: ManifestReading;
  /** The manifest was written to another file than the one that was read. */
  readonly isCopied: boolean;
  readonly listing: DirectoryListing;
  /** Null if the epochs or tags file is missing or damaged. */
  readonly epochs: EpochsFound | null;
}

const copied =
  "the directory is a copy, or was put back from a backup: " +
  "what was deleted since then is not known";

/** Decides what to keep. */
export function planRecovery(found: DirectoryFound, now: OpenCircumstances): RecoveryPlan {
  const { reading, listing, epochs } = found;
  if (reading.kind !== "valid") {
    if (!listing.hasManifest && listing.segments.size === 0) {
      return startAnew("new", "the directory was empty", 0);
    }
    return startAnew("cold", "the manifest is missing or damaged", listing.segments.size);
  }
  const { fields } = reading;
  const isPossible = isGeometry(fields.segmentBytes, fields.segmentCount);
  const geometry = isPossible ? refitGeometry(now.capacityBytes, now, fields.segmentBytes) : null;
  const lost = geometry === null ? fields.segmentCount : lostSegments(fields, geometry, listing);
  const reason = found.isCopied ? copied : whyCold(fields, geometry, epochs, now);
  if (reason !== null || geometry === null || epochs === null) {
    return startAnew("cold", reason ?? "", fields.segmentCount);
  }
  const keepThrough = isPageCacheSame(fields, now)
    ? fields.keepThrough
    : Math.min(fields.keepThrough, fields.fsyncBarrier);
  const dropExpiring = fields.dropExpiring || resumeTime(fields, now).isBehind;
  const surplus = Math.max(0, fields.segmentCount - geometry.segmentCount);
  const words = describe(fields, listing, { keepThrough, dropExpiring, lost, surplus });
  const unused = unusedBytes(now.capacityBytes, now, geometry);
  const recovery = {
    ...words,
    reason: unused === 0 ? words.reason : `${words.reason}; ${unusedReason(unused)}`,
    clearEpoch: epochs.clear,
    namespaceEpochs: epochsOf(epochs.namespaces),
    keepThrough,
    dropExpiring,
    lostSegments: lost,
  };
  return { recovery, keep: { fields, geometry } };
}

function whyNoSnapshot({ snapshot }: ManifestFields): string {
  if (snapshot === "too-large") return ": it would have taken more than a 16th of the capacity";
  return snapshot === "failed" ? ": it could not be written" : "";
}

function leftOutReason({ leftOut }: ManifestFields): string {
  if (leftOut === 0) return "";
  const entries = leftOut === 1 ? "1 entry was" : `${leftOut} entries were`;
  return `; when the process ended ${entries} not written yet, and lost`;
}

function unusedReason(bytes: number): string {
  return (
    `the directory keeps its small segment files, so ${bytes} bytes of the capacity are not used ` +
    "until it starts empty"
  );
}

function isPageCacheSame(fields: ManifestFields, now: OpenCircumstances): boolean {
  return fields.clean || isSameBoot(fields.bootId, now.bootId);
}

/** Why nothing of a whole directory may be kept; null if it may. */
function whyCold(
  fields: ManifestFields,
  geometry: Geometry | null,
  epochs: EpochsFound | null,
  now: OpenCircumstances,
): string | null {
  if (fields.codecName !== now.codecName) {
    const [before, after] = [fields.codecName, now.codecName].map((name) => JSON.stringify(name));
    return `the values were written by the codec ${before}, and the codec is ${after} now`;
  }
  if (fields.sealedKey === null && now.isEncrypted) {
    return "the entries were stored without encryption, and option disk.encryption is given now";
  }
  if (geometry === null) return "the size of the segments no longer suits the options";
  if (epochs === null) return "the file that remembers clears or tags is missing or damaged";
  const version = epochs.namespaces.find(({ id }) => id === 0)?.name ?? "";
  if (version !== now.version) {
    const [before, after] = [version, now.version].map((one) =>
      one === "" ? "no version" : `version ${JSON.stringify(one)}`,
    );
    return `the entries were stored under ${before}, and the cache has ${after} now`;
  }
  const when = fields.closedUnsynced ? "after the cache was closed" : "while the cache was open";
  if (!isPageCacheSame(fields, now)) {
    if (fields.fsyncBarrier > 0) return null;
    return `the machine stopped ${when}, and nothing had been synced`;
  }
  // What was synced may have lost the tombstones that came later, so it is not kept either.
  if (fields.clean || fields.storage === now.storage) return null;
  if (fields.storage === unsyncedStorage) {
    return `a sync failed ${when}; what had not been synced may be lost`;
  }
  return `the file system was mounted anew ${when}; what was not synced may be lost`;
}

function startAnew(kind: "new" | "cold", reason: string, lost: number): RecoveryPlan {
  const filter = { clearEpoch: 0, namespaceEpochs: [], keepThrough: Infinity, dropExpiring: false };
  return { recovery: { kind, reason, lostSegments: lost, ...filter }, keep: null };
}

/** The clear epochs by id. */
function epochsOf(namespaces: readonly NamespaceSlot[]): number[] {
  const epochs: number[] = [];
  for (const { id, clear } of namespaces) epochs[id] = clear;
  return Array.from(epochs, (epoch) => epoch ?? 0);
}

/** Counts segments that are surplus now, or whose file is missing or has the wrong length. */
function lostSegments(
  fields: ManifestFields,
  geometry: Geometry,
  listing: DirectoryListing,
): number {
  let lost = 0;
  for (let segment = 0; segment < fields.segmentCount; segment++) {
    const isWhole = listing.segments.get(segment) === fields.segmentBytes;
    if (segment >= geometry.segmentCount || !isWhole) lost += 1;
  }
  return lost;
}

function describe(
  fields: ManifestFields,
  listing: DirectoryListing,
  found: {
    readonly keepThrough: number;
    readonly dropExpiring: boolean;
    readonly lost: number;
    /** Those of the lost for which the capacity has no room. */
    readonly surplus: number;
  },
): { kind: "clean" | "scan" | "barrier"; reason: string } {
  if (found.keepThrough !== Infinity) {
    const reason =
      "the machine stopped while the cache was open; only what had been synced is kept";
    return { kind: "barrier", reason };
  }
  if (!fields.clean && !fields.closedUnsynced) {
    const reason = "the cache was not closed; the machine did not stop";
    return { kind: "scan", reason: `${reason}${leftOutReason(fields)}` };
  }
  if (found.dropExpiring) {
    const reason = "the clock is behind the last use; entries that expire are dropped";
    return { kind: "scan", reason };
  }
  if (found.lost > found.surplus) {
    return { kind: "scan", reason: "segment files were cut off or are missing" };
  }
  if (found.surplus > 0) {
    return { kind: "scan", reason: "the capacity has room for fewer segment files than before" };
  }
  if (!listing.hasSnapshot) {
    return { kind: "scan", reason: `there is no index snapshot${whyNoSnapshot(fields)}` };
  }
  return { kind: "clean", reason: "the cache was closed in order" };
}
