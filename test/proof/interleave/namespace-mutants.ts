// Faults in what tells namespaces apart. Called by mutant-table.ts.

import { type Mutant, mutant } from "./mutant.js";

const record = "src/kernel/assembly/segments/record.ts";
const geometry = "src/kernel/assembly/geometry.ts";
const flights = "src/kernel/assembly/flights.ts";

export const namespaceMutants: readonly Mutant[] = [
  mutant(
    "space-not-compared",
    "a key is taken for the same key of another namespace",
    record,
    [
      "(load<u32>(record, rec.recordSpace) & 0xffffff) == wanted",
      "(load<u32>(record, rec.recordSpace) & 0xffff00) == (wanted & 0xffff00)",
    ],
    "namespace-twins",
  ),
  mutant(
    "space-not-cleared",
    "a clear of a namespace hides nothing",
    geometry,
    ["return space == 0 ? epoch :", "return space != 255 ? epoch :"],
    "namespace-clear",
  ),
  mutant(
    "space-flight-not-cleared",
    "a load that began before a clear of its namespace is stored after it",
    flights,
    ["epochOf(load<u32>(flight, fl.flightSpace))", "epochOf(0)"],
    "namespace-clear-fill",
  ),
];
