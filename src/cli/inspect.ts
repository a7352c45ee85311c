// `undercroft inspect`: says what a cache's directory holds. Called by main.ts.
import { type DirectoryOverview, inspectDirectory } from "../inspection/mod.js";
import { columns } from "./columns.js";
import { counted, directoryOptions, momentText, orRefuse, sizeText } from "./directory-command.js";
import type { Output } from "./output.js";
import { progressOn } from "./progress.js";

export const inspectUsage = `inspect <directory> what a cache's directory holds
  --key-file file   the key of an encrypted directory: 32 bytes, or their hex or base64
  --json            print one object with all of it; times are milliseconds since 1970
Geometry, format, owner, namespaces, entries (live, expired, deleted, void: ended by a clear or a
tag), ages, fill by segment, sizes, health. It reads no value, changes nothing, and may run beside
the cache; what is in its memory only does not show. Exits with 1 if the manifest is damaged, with 2
if it is no cache directory or cannot be read.`;

/** Runs the command. Returns the exit status. */
export function inspect(words: readonly string[], output: Output): Promise<number> {
  return orRefuse(output, async () => {
    const { directory, json, help, key } = directoryOptions("inspect", words);
    if (help) {
      output.print(inspectUsage);
      return 0;
    }
    const progress = progressOn(`reading ${directory}`);
    let found: DirectoryOverview | null;
    try {
      found = await inspectDirectory(directory, key, progress.note);
    } finally {
      progress.end();
    }
    if (found === null) {
      output.warn(`Cannot tell what ${directory} holds: its manifest is missing or damaged`);
      return 1;
    }
    output.print(json ? JSON.stringify(found) : report(found));
    return 0;
  });
}

function report(found: DirectoryOverview): string {
  const parts = [facts(found), segments(found)];
  if (!found.isOpaque) parts.splice(1, 0, namespaces(found), sizes(found));
  const health = found.health.length === 0 ? ["health: nothing is wrong"] : ["health:"];
  health.push(...found.health.map((sentence) => `  ${sentence}`));
  return [...parts, health.join("\n")].join("\n\n");
}

function facts(found: DirectoryOverview): string {
  const { entries, segmentBytes, segmentCount, nextOpen } = found;
  const used = found.segments.filter(({ use }) => use === "used").length;
  const files = `${segmentCount} of ${sizeText(segmentBytes)}, ${used} in use`;
  const disk = `${sizeText(found.bytes)}, ${sizeText(found.allocatedBytes)} of it allocated`;
  const snapshot = found.snapshotBytes === null ? "none" : sizeText(found.snapshotBytes);
  const rows = [
    ["directory", found.path],
    ["format", `${found.format}, codec ${found.codec}${encryptedText(found)}${versionText(found)}`],
    ["state", stateText(found)],
    ["sessions", `${found.sessions}, last alive ${momentText(found.lastAliveMs)} UTC`],
    ["files", disk],
    ["segments", files],
    ["index snapshot", snapshot],
    [
      "entries",
      found.isOpaque
        ? opaqueText(found)
        : `${entries.live} live in ${sizeText(entries.liveBytes)}, ${otherText(found)}`,
    ],
    ["begun", agesText(found)],
    ["tags", `${counted(found.tags, "invalidated tag")}, ${counted(found.schemas, "schema")}`],
  ];
  if (nextOpen !== null) {
    const when = found.owner.state === "open" ? "if it died now" : "next open";
    rows.push([when, `${nextOpen.kind}: ${nextOpen.reason}`]);
  }
  return columns(rows, [false, false]);
}

function opaqueText({ segments: all }: DirectoryOverview): string {
  const records = all.reduce((sum, segment) => sum + segment.records, 0);
  return `${counted(records, "record")}, encrypted; --key-file tells what they are`;
}

function encryptedText({ isEncrypted }: DirectoryOverview): string {
  return isEncrypted ? ", encrypted" : "";
}

function versionText({ version }: DirectoryOverview): string {
  return version === "" ? "" : `, version ${JSON.stringify(version)}`;
}

function stateText({ owner, closed }: DirectoryOverview): string {
  const where = owner.isThisKernel === false ? " on another machine" : "";
  const since = owner.renewedMs === null ? "" : `, seen ${momentText(owner.renewedMs)} UTC`;
  if (owner.state === "open") return `live: a cache has it open${where}${since}`;
  if (owner.state === "dead") return `not closed: its process died${where}${since}`;
  if (closed === "unsynced") return "closed in order, and not synced";
  return closed === "clean" ? "closed in order" : "not closed";
}

function otherText({ entries }: DirectoryOverview): string {
  const { expired, deleted, void: voids, parts } = entries;
  const dead = `${expired} expired, ${deleted} deleted, ${voids} void`;
  return parts === 0 ? dead : `${dead}; ${counted(parts, "chunk")} of large values`;
}

function agesText({ oldestMs, newestMs }: DirectoryOverview): string {
  if (oldestMs === null || newestMs === null) return "nothing is stored";
  return `segments with live entries from ${momentText(oldestMs)} to ${momentText(newestMs)} UTC`;
}

function namespaces({ namespaces: all }: DirectoryOverview): string {
  const rows = all.map(({ id, name, live, liveBytes, expired, deleted, void: voids }) => [
    id === 0 ? "(the cache's own)" : name,
    ...[live, sizeText(liveBytes), expired, deleted, voids].map(String),
  ]);
  const head = ["namespace", "live", "size", "expired", "deleted", "void"];
  return columns([head, ...rows], [false, true, true, true, true, true]);
}

function sizes({ sizes: buckets }: DirectoryOverview): string {
  const most = Math.max(1, ...buckets.map(({ entries }) => entries));
  const last = buckets.findLastIndex(({ entries }) => entries > 0);
  const rows = buckets
    .slice(0, last + 1)
    .map(({ upTo, entries, bytes }) => [
      upTo === null ? "larger" : `up to ${sizeText(upTo)}`,
      String(entries),
      sizeText(bytes),
      "#".repeat(Math.ceil((entries / most) * 30)),
    ]);
  return columns([["record", "live", "size"], ...rows], [false, true, true, false]);
}

/** Segments that hold something, the newest first. */
function segments({ segments: all, segmentBytes }: DirectoryOverview): string {
  const used = all.filter(({ use }) => use !== "unused");
  used.sort((left, right) => right.serial - left.serial);
  const part = (bytes: number): string => `${((bytes / segmentBytes) * 100).toFixed(1)} %`;
  const rows = used.map(({ segment, serial, createdMs, usedBytes, records, ...rest }) => [
    String(segment),
    String(serial),
    serial === 0 ? "" : momentText(createdMs),
    part(usedBytes),
    part(rest.liveBytes),
    String(records),
    String(rest.liveRecords),
    rest.damage ?? "",
  ]);
  const head = ["segment", "serial", "begun", "filled", "live", "records", "live", "damage"];
  return columns([head, ...rows], [true, true, false, true, true, true, true, false]);
}
