// One measurement of one subject in its own process: `node --expose-gc measure.js <subject>
// <contents> <bound>`. Sends what the subject held and by how much the process grew.

import { contents } from "./contents.js";
import { eventLoopTurn, residentBytes, subjects } from "./subjects.js";

/** What a measured process sends. */
export interface Measurement {
  readonly entries: number;
  readonly residentBytes: number;
  readonly openBytes: number;
}

const warmUpEntries = 400_000;
/**
 * Entries that the simulated service holds at a time, so that the young generation has its full
 * size before anything is measured.
 */
const warmUpHeld = 4096;

const [subject = "", kind = "", bound = ""] = process.argv.slice(2);
const fill = subjects[subject];
const kinds = contents[kind];
if (fill === undefined || kinds === undefined) throw new Error(`There is no ${subject} of ${kind}`);
// A service makes keys and values whether it caches them or not, so their garbage is not the
// cache's.
for (let id = 0; id < warmUpEntries;) {
  const service: unknown[] = [];
  for (const end = id + warmUpHeld; id < end; id++) service.push([kinds.key(id), kinds.value(id)]);
  if (service.length !== warmUpHeld) throw new Error("The service lost an entry");
  await eventLoopTurn();
}
const before = residentBytes();
const held = await fill(kinds, Number(bound));
const measurement: Measurement = {
  entries: held.entries,
  residentBytes: residentBytes() - before,
  openBytes: held.openBytes,
};
process.send?.(measurement);
await held.close();
