// The floors of src/, read from the table in docs/internals/rooms.md, so that the page and the rule
// cannot drift apart, and the rule of the stairs: an import stays in its room or climbs down
// through a door. Called by house.test.ts.

import { posix } from "node:path";

import ts from "typescript";

/** Room name to floor number; 0 is the ground. The package's door, `mod.ts`, is a room of its own
 *  on the top floor. */
export type Floors = ReadonlyMap<string, number>;

export interface Import {
  readonly line: number;
  readonly specifier: string;
}

/** The floors named in the table of a page: rows like "| 3 | `memory/` `disk/` | words |". */
export function readFloors(page: string): Floors {
  const floors = new Map<string, number>();
  for (const row of page.matchAll(/^\|\s*(\d+)\s*\|([^|]*)\|/gm)) {
    for (const room of (row[2] ?? "").matchAll(/`([a-z-]+)(?:\/|\.ts)`/g)) {
      floors.set(roomName(room[1] ?? ""), Number(row[1]));
    }
  }
  return floors;
}

/** Every module a source text names: import, import type, export from, and import(). */
export function importsOf(text: string): Import[] {
  const info = ts.preProcessFile(text, true, true);
  return info.importedFiles.map((file) => ({
    line: text.slice(0, file.pos).split("\n").length,
    specifier: file.fileName,
  }));
}

/** Faults of the stairs in one file of src/; `file` is its path from the repository's root. */
export function stairFaults(
  floors: Floors,
  dependencies: ReadonlySet<string>,
  file: string,
  text: string,
): string[] {
  const faults: string[] = [];
  for (const { line, specifier } of importsOf(text)) {
    const fault = specifier.startsWith(".")
      ? innerFault(floors, file, specifier)
      : outerFault(dependencies, specifier);
    if (fault !== undefined) faults.push(`${file}:${line}: imports ${specifier}, ${fault}`);
  }
  return faults;
}

/** The room a path of src/ lies in: "src/disk/reader.ts" is in "disk", "src/mod.ts" is in "mod". */
export function roomOf(file: string): string {
  return roomName(file.split("/")[1] ?? "");
}

const assemblyFolder = "src/kernel/assembly/";

/** What the kernel's AssemblyScript may name outside its folder: the files of plain constants it
 *  shares. */
const assemblyMayImport: ReadonlySet<string> = new Set([
  "src/kernel/flight-layout",
  "src/kernel/layout",
  "src/kernel/layouts/directory-layout",
  "src/kernel/layouts/stream-layout",
  "src/kernel/tag-layout",
  "src/kernel/namespace-layout",
  "src/record/record-layout",
  "src/stats/counters",
]);

function innerFault(floors: Floors, file: string, specifier: string): string | undefined {
  const target = posix.normalize(posix.join(posix.dirname(file), specifier));
  if (file.startsWith(assemblyFolder)) {
    if (target.startsWith(assemblyFolder) || assemblyMayImport.has(target)) return undefined;
    return "and assembly/ may import its own files and the shared constants only";
  }
  if (target.startsWith(assemblyFolder)) return "which only the AssemblyScript compiler can read";
  if (!target.startsWith("src/")) return "which is outside src/";
  const [here, there] = [roomOf(file), roomOf(target)];
  if (here === there) return undefined;
  const [floorHere, floorThere] = [floors.get(here), floors.get(there)];
  if (floorHere === undefined)
    return `and the room ${here} has no floor in docs/internals/rooms.md`;
  if (floorThere === undefined)
    return `and the room ${there} has no floor in docs/internals/rooms.md`;
  if (floorThere >= floorHere) return "which is not on a lower floor";
  return target === `src/${there}/mod.js` ? undefined : "which is not that room's door";
}

function outerFault(dependencies: ReadonlySet<string>, specifier: string): string | undefined {
  if (specifier.startsWith("node:")) return undefined;
  const parts = specifier.split("/");
  const name = specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
  return dependencies.has(name) ? undefined : "which is not a dependency of the package";
}

function roomName(name: string): string {
  return name.replace(/\.ts$|\.js$/, "");
}
