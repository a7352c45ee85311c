// One measurement of one subject, in a process of its own: `node --expose-gc measure.js <subject> <contents> <bound>`. Sends
// what it held and by how much the process had grown.

import { contents } from "./contents.js";
import { residentBytes, subjects } from "./subjects.js";

/** What a measured process sends. */
export interface Measurement {
  readonly entries: number;
  readonly residentBytes: number;
  readonly openBytes: number;
}

const [subject = "", kind = "", bound = ""] = process.argv.slice(2);
const fill = subjects[subject];
const kinds = contents[kind];
if (fill === undefined || kinds === undefined) throw new Error(`There is no ${subject} of ${kind}`);
const before = residentBytes();
const held = await fill(kinds, Number(bound));
const measurement: Measurement = {
  entries: held.entries,
  residentBytes: residentBytes() - before,
  openBytes: held.openBytes,
};
process.send?.(measurement);
await held.close();
