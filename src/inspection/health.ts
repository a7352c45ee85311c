// What is not as it should be in a directory, and what the next open would find. Called by the
// overview of a directory.
import { monotonicMs, readAnchorMs, uptimeMs } from "../base/mod.js";
import {
  capacityFor,
  carryTags,
  type ManifestFields,
  planRecovery,
  readBootId,
  readStorage,
  tagFileSlots,
} from "../directory/mod.js";
import type { DirectoryView } from "./directory-view.js";
import type { SegmentOverview } from "./segment-overview.js";

/** What an open would find. */
export interface NextOpen {
  readonly kind: string;
  readonly reason: string;
}

/** What an open with the options of the last one would find on this machine; null if the files do
 *  not say which those were. */
export function nextOpenOf(
  view: DirectoryView,
  fields: ManifestFields,
  isCopied: boolean,
): NextOpen | null {
  const { manifest: reading, listing, epochs, tags, tagsFile } = view;
  const wallNow = readAnchorMs() + monotonicMs();
  const tagSlots = tagsFile === null ? 0 : tagFileSlots(tagsFile);
  const { segmentBytes, segmentCount, codecName } = fields;
  const voids =
    epochs === null || tags === null
      ? null
      : { ...epochs, tags: carryTags(tags, epochs.tagFloor, epochs.clear, tagSlots) };
  const capacityBytes = capacityFor(segmentBytes, segmentCount, tagSlots);
  const { recovery } = planRecovery(
    { reading, isCopied, listing, epochs: voids },
    {
      capacityBytes,
      capacityMostBytes: capacityBytes,
      maxRecordBytes: 1,
      leastRecordBytes: 1,
      tagSlots,
      codecName,
      version: epochs?.namespaces.find(({ id }) => id === 0)?.name ?? "",
      isEncrypted: fields.sealedKey !== null,
      wallNow,
      uptimeMs: uptimeMs(),
      bootId: readBootId(wallNow),
      storage: readStorage(view.path),
    },
  );
  return { kind: recovery.kind, reason: recovery.reason };
}

/** What is not as it should be, in sentences. */
export function healthOf(
  view: DirectoryView,
  segments: readonly SegmentOverview[],
  nextOpen: NextOpen | null,
): string[] {
  const health: string[] = [];
  const { ownership, fields } = view;
  const isLive = ownership.state === "open";
  if (ownership.state === "dead") health.push("the process that had it open has died");
  if (nextOpen?.kind === "cold") {
    const when = isLive ? "if its process died now, the next open" : "the next open";
    health.push(`${when} starts cold: ${nextOpen.reason}`);
  }
  if (view.epochs === null) health.push("the epochs file is missing or damaged");
  if (view.tags === null) health.push("the tags file is missing or damaged");
  for (const { segment, damage } of segments) {
    if (damage !== null) health.push(`segment ${segment}: ${sentences[damage]}`);
  }
  if (fields?.keepThrough !== Infinity || fields.dropExpiring) {
    health.push("the last open did not end its recovery");
  }
  return health;
}

const sentences = {
  header: "the file is missing, has another length, or its header is damaged",
  batch: "a batch is damaged, or was cut short: it and those behind it are lost",
  tombstones: "the tombstones cannot be trusted: nothing in it comes back",
} as const;
