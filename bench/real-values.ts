// Values that people wrote: the JSON files, texts and declarations under node_modules. Called by
// the suites that measure with them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));
const largestBytes = 64 * 1024;

/** What is in a file: JSON decoded, other files as text. */
export type RealValue = string | object;

function valueOf(path: string): RealValue | undefined {
  const text = readFileSync(path, "utf8");
  if (text.length === 0 || text.length > largestBytes) return undefined;
  if (!path.endsWith(".json")) return text;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The first `most` of them by path, of at most 64 KiB each. */
export function realValues(most: number): Map<string, RealValue> {
  const found = new Map<string, RealValue>();
  const paths = readdirSync(modules, { recursive: true, encoding: "utf8" });
  for (const path of paths.toSorted()) {
    if (!/(?:\.json|\.md|\.d\.ts)$/.test(path)) continue;
    const value = valueOf(join(modules, path));
    if (value !== undefined) found.set(path, value);
    if (found.size === most) break;
  }
  return found;
}
