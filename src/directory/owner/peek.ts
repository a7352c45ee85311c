// What a directory says of itself while another cache has it open: enough to make a memory that can
// take it over later. Called by an opener that begins without its directory. Nothing that is read
// here is trusted: when the directory is taken over, it is read again, and what does not fit the
// memory any more is dropped (owner/fit.ts).
import { fs } from "../../device/mod.js";
import { createHasher } from "../../hash/mod.js";
import { epochsName, manifestName } from "../directory-files.js";
import { readEpochs } from "../epochs.js";
import { type GeometryNeeds, isGeometry, planGeometry, refitGeometry } from "../geometry.js";
import { decodeManifest, manifestFileBytes } from "../manifest.js";
import type { NamespaceSlot } from "../namespace-slots.js";
import type { OpenDirectoryOptions } from "../directory.js";
import { randomBytes } from "node:crypto";
import type { MemoryMade } from "./fit.js";

/**
 * How far the owner's sequences may go on before a cache that waits takes the directory over: those
 * of the cache that waits are above them all. 2^48 is the end, so 65,536 take-overs can be made.
 */
const sequencesAhead = 2 ** 32;

/** What a memory that is made for a directory knows of it. */
export interface DirectoryPeek extends MemoryMade {
  readonly namespaces: readonly NamespaceSlot[];
}

/** Reads a directory beside its owner. What cannot be read is taken for a new directory. */
export async function peekDirectory(
  options: Pick<OpenDirectoryOptions, "path" | "capacityBytes" | keyof GeometryNeeds>,
): Promise<DirectoryPeek> {
  const { path, capacityBytes } = options;
  const hasher = await createHasher();
  const manifest = decodeManifest(readFile(`${path}/${manifestName}`, manifestFileBytes), hasher);
  const fields = manifest.kind === "valid" ? manifest.fields : null;
  const isPossible = fields !== null && isGeometry(fields.segmentBytes, fields.segmentCount);
  const kept = isPossible ? refitGeometry(capacityBytes, options, fields.segmentBytes) : null;
  if (fields === null || kept === null) {
    const seed = randomBytes(8).readBigUInt64LE(0);
    const geometry = planGeometry(capacityBytes, options);
    return { seed, ...geometry, sequence: sequencesAhead, namespaces: [] };
  }
  const { seed } = fields;
  const epochs = readEpochs(readFile(`${path}/${epochsName}`), seed);
  const sequence = Math.max(fields.nextSequence, fields.fsyncBarrier) + sequencesAhead;
  return { seed, ...kept, sequence, namespaces: epochs?.namespaces ?? [] };
}

/** The bytes of a file, at most `most`; none if it cannot be read. */
function readFile(file: string, most = 1024 * 1024): Buffer {
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    const fd = fs.openSync(file, O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0));
    try {
      const bytes = Buffer.alloc(most);
      return bytes.subarray(0, fs.readSync(fd, bytes, 0, most, 0));
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    return Buffer.alloc(0);
  }
}
