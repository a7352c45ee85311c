// One of the threads of threads.test.ts: writes its own keys and a few that all write, under
// pressure, and reports what it stored last under each of its own.
import { parentPort, workerData } from "node:worker_threads";
import { SharedHashMap } from "undercroft/shared-map";

const { handle, name, turns, isQuiet } = workerData;
const map = SharedHashMap.attach(handle);
const own = new Map();
const wrong = [];
const outcomes = {};
let random = name + 1;
const next = (bound) => {
  random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
  return (random >>> 8) % bound;
};

if (isQuiet) parentPort.postMessage("running");
for (let turn = 0; turn < turns; turn++) {
  const key = `own:${name}:${next(700)}`;
  const before = own.get(key);
  if (!isQuiet && map.get(key) !== before)
    wrong.push(`${key} was ${String(map.get(key)).slice(0, 20)}`);
  if (next(8) === 0) {
    if (map.delete(key) !== (before !== undefined) && !isQuiet) wrong.push(`${key} deleted`);
    own.delete(key);
  } else {
    const value = `${turn}:${"v".repeat(next(500))}`;
    const outcome = map.set(key, value);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (outcome === "stored") own.set(key, value);
  }
  const shared = `shared:${next(20)}`;
  if (next(3) === 0) {
    const text = `${name}:${turn}:`;
    map.set(shared, text + text.repeat(next(40)));
  }
  // Whoever wrote it, it is whole: one text, repeated.
  const seen = map.get(shared) ?? "";
  const text = /^\d+:\d+:/.exec(seen)?.[0] ?? "";
  if (wrong.length < 5 && seen !== text.repeat(seen.length / (text.length || 1)))
    wrong.push(`${shared} torn`);
}

map.close();
parentPort.postMessage({ own, wrong: wrong.slice(0, 5), outcomes });
