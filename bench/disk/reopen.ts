// How long an open takes, after a close and after a kill, by the number of entries. The store is
// filled in one process and opened in others (open-store.ts).
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

import type { Row, Suite } from "../suite.js";
import { TemporaryDirectory } from "../temporary-directory.js";
import type { OpenAnswer, OpenRequest } from "./open-store.js";
import type { StoreName } from "./stores.js";

/** Values of 100 bytes. */
const size = 100;
const opens = 3;
/** Not SQLite in WebAssembly: the lock of a killed process stays. */
const names: readonly StoreName[] = ["lmdb", "undercroft"];
/** What Undercroft gets: much for the entries, and little. */
const memories = ["64mb", "512mb"];

/** `npm run bench -- disk-reopen --entries=10000000` measures so many instead. */
const asked = process.env["BENCH_ENTRIES"];

export const diskReopen: Suite = {
  name: "disk-reopen",
  about:
    "Milliseconds of an open and a first read, in a new process; entries of 100 bytes; median of " +
    "3. Killed: SIGKILL after a flush. undercroft: disk of 4 GiB.",
  cases: asked === undefined ? ["100000", "1000000"] : [asked],
  run: async (caseName) => {
    const rows: Row[] = [];
    for (const name of names) {
      for (const memory of name === "undercroft" ? memories : ["64mb"]) {
        for (const end of ["closed", "killed"] as const) {
          rows.push(await rowOf({ name, entries: Number(caseName), memory, end }));
        }
      }
    }
    return rows;
  },
};

type Case = Pick<OpenRequest, "name" | "entries" | "memory" | "end">;

async function rowOf(wanted: Case): Promise<Row> {
  const directory = new TemporaryDirectory("reopen");
  const request = { ...wanted, path: directory.path, size, capacity: "4gb" };
  await ask({ ...request, isFill: true });
  const answers: OpenAnswer[] = [];
  for (let open = 0; open < opens; open++) answers.push(await ask({ ...request, isFill: false }));
  directory.remove();
  const times = answers.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const { name, entries, memory, end } = wanted;
  return {
    entries,
    store: name,
    memory: name === "undercroft" ? memory : "",
    end,
    "ms min": Math.round(times[0] ?? NaN),
    "ms median": Math.round(times[times.length >> 1] ?? NaN),
    "found again": `${(100 * Math.min(...answers.map(({ found }) => found))).toFixed(2)} %`,
  };
}

function ask(request: OpenRequest): Promise<OpenAnswer> {
  const child = fork(fileURLToPath(new URL("open-store.js", import.meta.url)), {
    execArgv: ["--enable-source-maps"],
  });
  return new Promise((resolve, reject) => {
    let answer: OpenAnswer | undefined;
    child.once("message", (message) => (answer = message as OpenAnswer));
    child.once("error", reject);
    child.once("exit", (code) => {
      if (answer !== undefined) resolve(answer);
      else reject(new Error(`The process of ${request.name} ended with ${code} and no answer`));
    });
    child.send(request);
  });
}
