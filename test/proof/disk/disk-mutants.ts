// Faults put into the disk tier on purpose, each of which a checker must show. Called by
// ../disk-mutants.ts and a test, which holds that each text is still there.
import type { Patch } from "./engine.js";

export type Checker = "crashes" | "flips" | "faults";

export interface DiskMutant extends Patch {
  readonly name: string;
  readonly breaks: string;
  readonly checker: Checker;
}

function mutant(
  name: string,
  breaks: string,
  file: string,
  [from, to]: readonly [string, string],
  checker: Checker = "crashes",
): DiskMutant {
  return { name, breaks, file, from, to, checker };
}

const reading: readonly DiskMutant[] = [
  mutant(
    "record-unverified",
    "a record is read whatever its checksum says",
    "disk/record-check.js",
    ["=== expected ? size : 0;", "=== expected ? size : size;"],
    "flips",
  ),
  mutant(
    "manifest-unverified",
    "a copy of the manifest counts whatever its checksum says",
    "directory/manifest.js",
    [
      "return copy.readBigUInt64LE(checksumOffset) === hasher.h64(copy.subarray(0, checksumOffset));",
      "return true;",
    ],
    "flips",
  ),
  mutant(
    "snapshot-unverified",
    "the frames of a snapshot count whatever their checksums say",
    "directory/index-snapshot.js",
    ["frame.readBigUInt64LE(payload) === checksum;", "checksum !== -1n;"],
    "flips",
  ),
  mutant(
    "tombstone-unverified",
    "a tombstone that fails its check counts as none",
    "disk/tombstone-list.js",
    [
      "return unit !== 0 && check === checkOf(unit, index, nonceLow) ? unit : -1;",
      "return unit !== 0 && check === checkOf(unit, index, nonceLow) ? unit : 0;",
    ],
    "flips",
  ),
  mutant(
    "damaged-tombstones-trusted",
    "a segment lives on although one of its tombstones cannot be read",
    "disk/segment-scan.js",
    ["    if (list.damaged)\n        found.dead.fill(1);\n    else", "    if (true)"],
    "flips",
  ),
  mutant("tombstones-forgotten", "a scan reads no tombstones", "disk/segment-scan.js", [
    "found.dead.fill(1);\n    else\n",
    "found.dead.fill(1);\n    else if (list.damaged)\n",
  ]),
  mutant(
    "tag-slot-damage-ignored",
    "a slot of the tags file that cannot be read counts as free",
    "directory/tag-file.js",
    [
      "return check === checkOf(tag, number, seed) ? tag : null;",
      'return check === checkOf(tag, number, seed) ? tag : "free";',
    ],
  ),
];

const recovering: readonly DiskMutant[] = [
  mutant(
    "barrier-ignored",
    "what was not synced is kept after a power loss",
    "directory/trust/recovery.js",
    ["return fields.clean || isSameBoot(fields.bootId, now.bootId);", "return true;"],
  ),
  mutant(
    "filter-not-remembered",
    "a crash of the recovery after a power loss forgets what was to be left out",
    "directory/directory.js",
    [
      "        keepThrough,\n        dropExpiring,\n        ...startOfTime",
      "        keepThrough: Infinity,\n        dropExpiring,\n        ...startOfTime",
    ],
  ),
  mutant(
    "left-out-not-buried",
    "what a recovery leaves out gets no tombstone",
    "disk/reconcile.js",
    ["    if (!changed)\n", "    if (true)\n"],
  ),
  mutant(
    "tombstone-moved-late",
    "a recovery frees the place of a tombstone before it is written elsewhere",
    "disk/reconcile.js",
    [
      "    rewriteTombstones(fd, segmentBytes, scan.nonce, units.subarray(0, tombstoneCount), device);\n",
      "    rewriteTombstones(fd, segmentBytes, scan.nonce, new Uint32Array(tombstones.length), device);\n    rewriteTombstones(fd, segmentBytes, scan.nonce, units.subarray(0, tombstoneCount), device);\n",
    ],
  ),
  mutant(
    "tombstones-counted-anew",
    "the tombstones of the next session go where those of the last one are",
    "disk-log/index-recovery.js",
    [
      "verbs.setTombstoneCount(segment, reconciled.tombstoneCount);",
      "verbs.setTombstoneCount(segment, 0);",
    ],
  ),
  mutant("clear-not-applied", "a recovery does not ask for the clears", "disk/reconcile.js", [
    "sequence <= filter.clearEpoch ||",
    "sequence < 0 ||",
  ]),
  mutant(
    "tags-not-restored",
    "a recovery does not bring back which tags were invalidated",
    "disk-log/index-recovery.js",
    ["    restoreTags(kernel, task.tags);\n", ""],
  ),
  mutant("still-clean", "the clean mark stays while the cache is open", "directory/directory.js", [
    '        clean: false,\n        closedUnsynced: false,\n        snapshot: "none",',
    '        closedUnsynced: false,\n        snapshot: "none",',
  ]),
];

const writing: readonly DiskMutant[] = [
  mutant("no-tombstones", "a set or delete writes no tombstone", "tiers/directory-writer.js", [
    "    writeTombstone(location) {",
    "    writeTombstone(location) {\n        return;",
  ]),
  mutant("clear-not-written", "a clear is not written down", "tiers/directory-writer.js", [
    "    writeClear(sequence) {",
    "    writeClear(sequence) {\n        return true;",
  ]),
  mutant(
    "tag-not-written",
    "the invalidation of a tag is not written down",
    "tiers/directory-writer.js",
    ["    writeTag() {", "    writeTag() {\n        return;"],
  ),
  mutant("flush-of-sealed-only", "a flush leaves what is in open segments", "janitor/janitor.js", [
    'const reach = isAsked ? "all" : isDue ? "open" : "sealed";',
    'const reach = "sealed";',
  ]),
  mutant(
    "reclaimed-not-void",
    "a segment is reclaimed and its header stays",
    "disk-log/reclaimer.js",
    ["        voidSegment(this.#disk.files.fd(segment), this.#device);\n", ""],
  ),
  mutant(
    "manifest-in-one-place",
    "the manifest is written over its newest copy",
    "directory/manifest.js",
    ["const position = (revision % 2) * manifestCopyBytes;", "const position = 0;"],
  ),
  mutant(
    "batch-in-halves",
    "the index of a batch is written before its records",
    "disk/segment-file.js",
    [
      "    device.writeAtSync(fd, batch, 0, batch.length, offset);",
      "    device.writeAtSync(fd, batch, 0, 64, offset);\n    device.writeAtSync(fd, batch, 64, batch.length - 64, offset + 64 + 16);",
    ],
  ),
];

const syncing: readonly DiskMutant[] = [
  mutant(
    "barrier-before-sync",
    "a sync sets the barrier and syncs no file",
    "directory/open-directory.js",
    [
      "        await this.#syncFiles();\n        this.#assertHeld();\n        const { fsyncBarrier",
      "        const { fsyncBarrier",
    ],
  ),
  mutant(
    "segments-unsynced",
    "a sync leaves out the segment files",
    "directory/open-directory.js",
    [
      "        if (!this.isSynced)\n            return;\n        let fd;",
      "        return;\n        let fd;",
    ],
  ),
  mutant(
    "clean-before-sync",
    "a close says that all is clean before it is synced",
    "directory/open-directory.js",
    [
      "            await this.#syncFiles();\n            syncDirectory(this.path);",
      "            syncDirectory(this.path);",
    ],
  ),
  mutant(
    "manifest-unsynced",
    "a manifest counts as written before it is synced",
    "directory/manifest.js",
    ["            await this.#device.fsync(this.#fd);\n", ""],
  ),
  mutant(
    "tags-renamed-unsynced",
    "the new tags file gets its name before its bytes are synced",
    "directory/start/session-files.js",
    ["        device.fsyncSync(fd);\n", ""],
  ),
  mutant(
    "epochs-unsynced",
    "an open forgets the tags that a clear covers, and does not sync the clear",
    "directory/start/session-files.js",
    ["        syncEpochs(device, epochsFd);\n", ""],
  ),
  mutant(
    "cover-unsynced",
    "a sweep gives away the slots of tags that a clear covers, and does not sync the clear",
    "janitor/janitor-disk.js",
    ["                device.fsyncSync(epochsFd);", "                void 0;"],
  ),
  mutant(
    "names-unsynced",
    "an open does not sync the names of its files",
    "directory/directory.js",
    ["    if (opening.isSynced)\n        syncDirectory(path);", ""],
  ),
  mutant(
    "reset-unsynced",
    "a segment is used anew, and a power loss brings its old records back",
    "disk-log/disk-log.js",
    ["this.#hasher, sync, this.#device)", "this.#hasher, false, this.#device)"],
  ),
];

const failing: readonly DiskMutant[] = [
  mutant(
    "lost-tombstone-forgiven",
    "a tombstone that could not be written leaves its segment as it is",
    "tiers/directory-writer.js",
    ["            this.#giveUp(segment);\n", ""],
    "faults",
  ),
  mutant(
    "lost-tag-forgiven",
    "an invalidation that could not be written leaves the tags file whole",
    "tiers/directory-writer.js",
    [
      "        catch (error) {\n            this.#cutTags();\n            this.#fault(error);\n        }\n    }\n    /** Writes what a slot",
      "        catch (error) {\n            this.#fault(error);\n        }\n    }\n    /** Writes what a slot",
    ],
    "faults",
  ),
  mutant(
    "cut-for-good",
    "what was cut is not written anew when the disk is back",
    "tiers/directory-writer.js",
    ["        if (isCut)\n            this.#restore();\n        else\n", "        if (!isCut)\n"],
    "faults",
  ),
  mutant(
    "failed-flush-resolves",
    "a flush resolves although its batch was not written",
    "janitor/janitor.js",
    ['        if (outcome === "failed")\n            flushes.markFailed(requested);\n', ""],
    "faults",
  ),
  mutant(
    "inspection-uncoded",
    "an error of fstat is thrown as the system says it",
    "device/descriptor.js",
    ['throw new UndercroftError("ERR_DISK_IO", text, { cause });', "throw cause;"],
    "faults",
  ),
];

export const diskMutants: readonly DiskMutant[] = [
  ...reading,
  ...recovering,
  ...writing,
  ...syncing,
  ...failing,
];
