// The entries of the disk suites: pieces of files that people wrote, under keys as a service builds
// them. Called by the stores.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const modules = fileURLToPath(new URL("../../../node_modules", import.meta.url));
const bytesMost = 32 * 2 ** 20;

let text: Buffer | undefined;

/** The texts and programs under node_modules, one behind another. */
function written(): Buffer {
  if (text !== undefined) return text;
  const parts: Buffer[] = [];
  let bytes = 0;
  for (const path of readdirSync(modules, { recursive: true, encoding: "utf8" }).toSorted()) {
    if (!/\.(?:json|md|[jt]s)$/.test(path)) continue;
    try {
      const part = readFileSync(join(modules, path));
      parts.push(part);
      bytes += part.length;
    } catch {
      // A folder that is named like a file.
    }
    if (bytes >= bytesMost) break;
  }
  text = Buffer.concat(parts);
  return text;
}

/** The value of an entry: the same bytes at each call. */
export function valueOf(id: number, size: number): Uint8Array {
  const bytes = written();
  const at = (id * 28_657) % (bytes.length - size);
  return new Uint8Array(bytes.buffer, bytes.byteOffset + at, size);
}
