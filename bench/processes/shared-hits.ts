// What a hit of another process costs beside one of the own disk: awaited gets of keys that are not
// in memory, one at a time, in turns.
// `node dist/bench/processes/shared-hits.js [entries of a round]`. The owner's process is this
// program, forked.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Cache, openCache } from "../../src/mod.js";
import { agentKey, agentValue } from "../entries/contents.js";
import { TemporaryDirectory } from "../temporary-directory.js";

const rounds = 12;
const perRound = Number(process.argv[2] ?? 2000);
const total = rounds * perRound;
const [, , , ownerPath, ownerMemory = ""] = process.argv;
/** So little that nearly all entries are on disk only. */
const little = "2mb";

/** A cache that has all entries, on disk at least. */
async function filled(path: string, memory: string, isShared: boolean): Promise<Cache> {
  const share = isShared ? "host" : "none";
  const cache = await openCache({ memory, disk: { path, capacity: "512mb", share } });
  for (let id = 0; id < total; id++) {
    cache.set(agentKey(id), agentValue(id));
    if (id % 500 === 499) await cache.flush();
  }
  await cache.flush();
  return cache;
}

async function own(path: string): Promise<void> {
  const cache = await filled(path, ownerMemory, true);
  process.send?.("filled");
  await once(process, "message");
  await cache.close();
  process.disconnect();
}

interface Subject {
  readonly name: string;
  readonly cache: Cache;
  /** Microseconds of a hit, of each round. */
  readonly hits: number[];
  misses: number;
  readonly close: () => Promise<void>;
}

async function guestOf(name: string, path: string, memory: string): Promise<Subject> {
  const program = fileURLToPath(import.meta.url);
  const owner = fork(program, [String(perRound), path, memory]);
  await once(owner, "message");
  const disk = { path, capacity: "512mb", share: "host" } as const;
  const cache = await openCache({ memory: "64mb", disk });
  const close = async (): Promise<void> => {
    await cache.close();
    owner.send("close");
    await once(owner, "exit");
  };
  return { name, cache, hits: [], misses: 0, close };
}

async function measure(subject: Subject, round: number): Promise<void> {
  const start = performance.now();
  for (let id = round * perRound; id < (round + 1) * perRound; id++) {
    if ((await subject.cache.get(agentKey(id))) === undefined) subject.misses += 1;
  }
  subject.hits.push(((performance.now() - start) * 1000) / perRound);
}

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[values.length >> 1] ?? 0;

async function main(): Promise<void> {
  const directory = new TemporaryDirectory("shared-hits");
  const alone = await filled(`${directory.path}/alone`, little, false);
  const subjects: Subject[] = [
    { name: "own disk", cache: alone, hits: [], misses: 0, close: () => alone.close() },
    await guestOf("guest, in the owner's memory", `${directory.path}/memory`, "64mb"),
    await guestOf("guest, on the owner's disk", `${directory.path}/disk`, "4mb"),
  ];
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) await measure(subject, round);
  }
  // The first rounds also compile.
  const [base = 1] = subjects.map(({ hits }) => median(hits.slice(3)));
  for (const { name, hits, misses, close } of subjects) {
    const us = median(hits.slice(3));
    const times = (us / base).toFixed(2);
    console.log(`${name}: ${us.toFixed(1)} us, ${times} times; ${misses} of ${total} missing`);
    await close();
  }
  directory.remove();
}

if (ownerPath === undefined) await main();
else await own(ownerPath);
