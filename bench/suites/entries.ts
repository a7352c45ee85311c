// How many entries a mebibyte of resident memory holds: the whole growth of a process that opens and fills one cache.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { contents } from "../entries/contents.js";
import type { Measurement } from "../entries/measure.js";
import { subjects } from "../entries/subjects.js";
import type { Row, Suite } from "../suite.js";

const MiB = 1024 ** 2;
const budgets = [64, 256];
const repeats = 3;
const sampleEntries = 20_000;

export const entries: Suite = {
  name: "entries",
  about:
    "Entries held per MiB of resident memory, whole process, heap collected: agents (key of 30, 5 fields, 148 bytes of msgpack), " +
    "documents (1 to 4 KiB of JSON), strings (key of 15, value of 23). undercroft: memory of the budget, set twice over; the others: as " +
    "many entries as make the process grow by the budget. Before that each process made 200,000 entries and dropped them, so that its young generation is as large as it gets. open: growth of the process by an empty cache, its workers included. " +
    "Median of three processes.",
  cases: Object.keys(contents).flatMap((kind) => budgets.map((budget) => `${kind} ${budget}`)),
  run: async (caseName) => {
    const [kind = "", budget = ""] = caseName.split(" ");
    const rows: Row[] = [];
    for (const subject of Object.keys(subjects)) {
      const bound = await boundOf(subject, kind, Number(budget) * MiB);
      const found: Measurement[] = [];
      while (found.length < repeats) found.push(await measure(subject, kind, bound));
      found.sort((a, b) => perMiB(a) - perMiB(b));
      rows.push(rowOf(subject, kind, Number(budget), found[repeats >> 1] as Measurement));
    }
    const lru = rows.find(({ peer }) => peer === "lru-cache")?.["entries per MiB"] as number;
    for (const row of rows) {
      row["times lru-cache"] = Number(((row["entries per MiB"] as number) / lru).toFixed(2));
    }
    return rows;
  },
};

/** The budget of a subject that keeps one, else how many entries it takes to fill that, by what a sample takes. */
async function boundOf(subject: string, kind: string, budgetBytes: number): Promise<number> {
  if (subject.startsWith("undercroft")) return budgetBytes;
  const sample = await measure(subject, kind, sampleEntries);
  return Math.floor(budgetBytes / (sample.residentBytes / sampleEntries));
}

function perMiB({ entries: count, residentBytes }: Measurement): number {
  return (count / residentBytes) * MiB;
}

function rowOf(peer: string, kind: string, budget: number, measured: Measurement): Row {
  const { entries: count, residentBytes, openBytes } = measured;
  return {
    entry: kind,
    "budget MiB": budget,
    peer,
    entries: count,
    "resident MiB": Math.round(residentBytes / MiB),
    "open MiB": Number((openBytes / MiB).toFixed(1)),
    "bytes per entry": Number((residentBytes / count).toFixed(1)),
    "entries per MiB": Math.round(perMiB(measured)),
  };
}

async function measure(subject: string, kind: string, bound: number): Promise<Measurement> {
  const file = fileURLToPath(new URL("../entries/measure.js", import.meta.url));
  const child = fork(file, [subject, kind, String(bound)], {
    execArgv: ["--expose-gc", "--max-old-space-size=8192"],
  });
  const sent = once(child, "message") as Promise<[Measurement]>;
  const died = once(child, "exit").then(([code]) => {
    throw new Error(`Measuring ${subject} with ${kind} entries ended with ${String(code)}`);
  });
  const [measurement] = await Promise.race([sent, died]);
  await died.catch(() => undefined);
  return measurement;
}
