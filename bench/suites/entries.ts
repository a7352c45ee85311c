// How many entries fit in a mebibyte of resident memory: the whole growth of a process that opens
// and fills one cache.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import type { Measurement } from "../entries/measure.js";
import { subjects } from "../entries/subjects.js";
import type { Row, Suite } from "../suite.js";

const MiB = 1024 ** 2;
const budgets = [64, 256];
/** Most runs of a subject without a budget, until its growth is within 3 % of the target. */
const searchesMax = 5;
const guessedEntryBytes = 500;

const about =
  "undercroft: memory of the budget, set twice over; the others: as many entries as make the " +
  "process grow by as much as undercroft's " +
  "did with its near cache. Each process first made 400,000 entries, held 4,096 at a time and " +
  "dropped them, so that its young " +
  "generation has its full size. near: false keeps no decoded values; without it each entry was " +
  "read once, and 16,384 values " +
  "are kept. open: growth of the process by an empty cache, its worker included. One process each.";

export const agentEntries = entriesOf(
  "agent",
  "agents (key of 30, 5 fields, 148 bytes of msgpack)",
);
export const documentEntries = entriesOf("document", "documents (1 to 4 KiB of JSON)");
export const stringEntries = entriesOf("string", "strings (key of 15, value of 23)");

function entriesOf(kind: string, what: string): Suite {
  return {
    name: `entries-${kind}s`,
    about:
      `Entries held per MiB of resident memory, whole process, heap collected: ${what}. ` + about,
    cases: budgets.map((budget) => `${kind} ${budget}`),
    run: (caseName) => rowsOf(kind, Number(caseName.split(" ")[1])),
  };
}

async function rowsOf(kind: string, budget: number): Promise<Row[]> {
  const rows: Row[] = [];
  let grownBytes = 0;
  for (const subject of Object.keys(subjects)) {
    const isOurs = subject.startsWith("undercroft");
    const measured = isOurs
      ? await measure(subject, kind, budget * MiB)
      : await measureGrown(subject, kind, grownBytes);
    if (isOurs) grownBytes = measured.residentBytes;
    rows.push(rowOf(subject, kind, budget, measured));
  }
  const lru = rows.find(({ peer }) => peer === "lru-cache")?.["entries per MiB"] as number;
  for (const row of rows) {
    row["times lru-cache"] = Number(((row["entries per MiB"] as number) / lru).toFixed(2));
  }
  return rows;
}

/** Finds how many entries make the process of a subject without a budget grow by so many bytes. */
async function measureGrown(subject: string, kind: string, bytes: number): Promise<Measurement> {
  let entries = Math.floor(bytes / guessedEntryBytes);
  for (let search = 1; ; search++) {
    const measured = await measure(subject, kind, entries);
    const missing = bytes / Math.max(measured.residentBytes, bytes / 8);
    if (search === searchesMax || Math.abs(missing - 1) < 0.03) return measured;
    entries = Math.floor(entries * missing);
  }
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
    "entries per MiB": Math.round((count / residentBytes) * MiB),
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
