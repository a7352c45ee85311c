// `undercroft verify`: verifies every checksum of a cache's directory. Called by main.ts.
import { type Verification, verifyDirectory } from "../inspection/mod.js";
import { columns } from "./columns.js";
import { counted, directoryOptions, orRefuse, sizeText } from "./directory-command.js";
import type { Output } from "./output.js";
import { progressOn } from "./progress.js";

export const verifyUsage = `verify <directory>  check every checksum of a cache's directory
  --key-file file   the key of an encrypted directory: 32 bytes, or their hex or base64; without
                    it the checksums are checked, and not that the key fits
  --json            print { path, isLive, isClosed, segments, records, bytes, faultCount,
                    faults: [{ file, segment, offset, kind, text }], notes }
It changes nothing, and may run beside the cache. Exits with 0 if all is whole, with 1 if there are
faults, with 2 if it is no cache directory or cannot be read.`;

/** Runs the command. Returns the exit status. */
export function verify(words: readonly string[], output: Output): Promise<number> {
  return orRefuse(output, async () => {
    const { directory, json, help, key } = directoryOptions("verify", words);
    if (help) {
      output.print(verifyUsage);
      return 0;
    }
    const progress = progressOn(`verifying ${directory}`);
    let found: Verification;
    try {
      found = await verifyDirectory(directory, { key, onProgress: progress.note });
    } finally {
      progress.end();
    }
    output.print(json ? JSON.stringify(found) : report(found));
    return found.faultCount === 0 ? 0 : 1;
  });
}

function report(found: Verification): string {
  const { path, faults, faultCount, notes, isLive, isClosed } = found;
  const verdict = faultCount === 0 ? "no faults" : counted(faultCount, "fault");
  const read = [
    counted(found.segments, "segment file"),
    counted(found.records, "record"),
    `${sizeText(found.bytes)} read`,
  ];
  const lines = [`${path}: ${verdict}; ${read.join(", ")}`];
  if (isLive) lines.push("a cache has it open; what it writes meanwhile may not be verified");
  else if (!isClosed) lines.push("it was not closed; the next open reads the segments' indexes");
  lines.push(...notes);
  if (faultCount === 0) return lines.join("\n");
  const rows = faults.map(({ file, segment, offset, kind, text }) => [
    segment === null ? "" : String(segment),
    file,
    String(offset),
    kind,
    text,
  ]);
  const head = ["segment", "file", "offset", "kind", "what"];
  lines.push(columns([head, ...rows], [true, false, true, false, false]));
  if (faultCount > faults.length) lines.push(`and ${faultCount - faults.length} more`);
  return lines.join("\n");
}
