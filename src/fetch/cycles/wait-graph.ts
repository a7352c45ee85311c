// Who waits for whom in this thread: a loader for the flights of its fetches, a flight for the load
// that holds it back, a flight for another thread's. Called by CycleWatch. It only reads, in time
// linear in what can be reached.
import type { FlightBoard } from "../fetch-parts.js";
import type { LoadFlight, LoadWait } from "./load-wait.js";
import { keyTextOf } from "./loading.js";

/** Flights that wait for each other: the wait that closed the ring, and the keys from its load's
 *  round to the same. */
export interface Ring {
  readonly wait: LoadWait;
  readonly keys: readonly string[];
}

/** A flight of another thread that is waited for, and the way to it. */
export interface Beyond {
  readonly name: string;
  readonly keys: readonly string[];
  /** When the youngest wait on the way began, in monotonic ms. */
  readonly sinceMs: number;
}

/** One wait: for the flight, of a loader (`wait`) or of a flight that is held back. */
interface Edge {
  readonly flight: LoadFlight;
  readonly board: FlightBoard;
  readonly wait: LoadWait | undefined;
}

function edgesOf(flight: LoadFlight): Edge[] {
  if (flight.isDone) return [];
  const edges: Edge[] = Array.from(flight.loading?.waits ?? [], (wait) => ({
    flight: wait.flight,
    board: wait.board,
    wait,
  }));
  const held = flight.heldBy;
  if (held?.flight !== undefined) {
    edges.push({ flight: held.flight, board: held.board, wait: undefined });
  }
  return edges;
}

/** A flight on the way of the walk, with what it waits for and has not been looked at. */
interface Visit {
  readonly flight: LoadFlight;
  readonly edges: Edge[];
  /** The edge that the walk goes on by. */
  by: Edge | undefined;
}

/** Rings within this thread that can be reached from these waits: of rings that share a flight, at
 *  least one. */
export function ringsFrom(waits: Iterable<LoadWait>): Ring[] {
  const rings: Ring[] = [];
  const seen = new Set<LoadFlight>();
  for (const { loading } of waits) {
    const { flight } = loading;
    if (flight !== undefined && !seen.has(flight)) walkDeep(flight, seen, rings);
  }
  return rings;
}

/** Goes as deep as it can from a flight. A wait for a flight on its way is a ring. */
function walkDeep(root: LoadFlight, seen: Set<LoadFlight>, rings: Ring[]): void {
  const way: Visit[] = [];
  const depths = new Map<LoadFlight, number>();
  const enter = (flight: LoadFlight): void => {
    seen.add(flight);
    depths.set(flight, way.length);
    way.push({ flight, edges: edgesOf(flight), by: undefined });
  };
  enter(root);
  for (let visit = way.at(-1); visit !== undefined; visit = way.at(-1)) {
    visit.by = visit.edges.pop();
    if (visit.by === undefined) {
      depths.delete(visit.flight);
      way.pop();
      continue;
    }
    const { flight } = visit.by;
    const depth = depths.get(flight);
    if (depth !== undefined) rings.push(ringOf(way.slice(depth)));
    else if (!seen.has(flight)) enter(flight);
  }
}

function ringOf(visits: readonly Visit[]): Ring {
  let closing = 0;
  for (const [index, { by }] of visits.entries()) {
    const isLater = (by?.wait?.sinceMs ?? -1) > (visits[closing]?.by?.wait?.sinceMs ?? -1);
    if (isLater) closing = index;
  }
  const around = [...visits.slice(closing), ...visits.slice(0, closing)];
  const keys = around.map(({ flight }) => keyTextOf(flight));
  // There is one: what holds a flight back runs a loader.
  return { wait: around[0]?.by?.wait as LoadWait, keys: [...keys, keys[0] as string] };
}

/** A step of a walk in breadth. */
interface Step {
  readonly flight: LoadFlight;
  readonly board: FlightBoard;
  readonly sinceMs: number;
  readonly from: Step | undefined;
}

/** Everything that one flight waits for in this thread, and where that leaves the thread. */
export class Reach {
  readonly beyond: Beyond[] = [];
  readonly #steps = new Map<LoadFlight, Step>();

  constructor(flight: LoadFlight, board: FlightBoard) {
    const next: Step[] = [];
    const add = (step: Step): void => {
      if (this.#steps.has(step.flight)) return;
      this.#steps.set(step.flight, step);
      next.push(step);
    };
    add({ flight, board, sinceMs: 0, from: undefined });
    for (let step = next.pop(); step !== undefined; step = next.pop()) {
      const { followed } = step.flight;
      if (followed !== -1 && !step.flight.isDone) {
        const { sinceMs } = step;
        this.beyond.push({ name: step.board.nameOf(followed), keys: keysTo(step), sinceMs });
      }
      for (const edge of edgesOf(step.flight)) {
        const sinceMs = Math.max(step.sinceMs, edge.wait?.sinceMs ?? 0);
        add({ flight: edge.flight, board: edge.board, sinceMs, from: step });
      }
    }
  }

  get size(): number {
    return this.#steps.size;
  }

  /** The way to a flight; undefined if it cannot be reached. */
  to(flight: LoadFlight): Omit<Beyond, "name"> | undefined {
    const step = this.#steps.get(flight);
    return step === undefined ? undefined : { keys: keysTo(step), sinceMs: step.sinceMs };
  }
}

function keysTo(last: Step): string[] {
  const keys: string[] = [];
  for (let step: Step | undefined = last; step !== undefined; step = step.from) {
    keys.push(keyTextOf(step.flight));
  }
  return keys.toReversed();
}
