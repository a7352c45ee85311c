// Finds loaders that wait for themselves, and refuses the wait that closed the ring. It looks at a
// wait only once that has lasted a while, since most end by themselves, as a database looks for
// deadlocks. Within a thread it follows the waits. Where they go on in another thread it sends a
// probe: one that comes back to where it began has gone round a ring (Chandy, Misra and Haas 1983).
// Called by ReadThrough. Invariants: one watch a thread, for all its caches; a probe may be lost,
// so waits are looked at again for as long as they last.
import { randomUUID } from "node:crypto";
import { clearTimeout, monotonicMs, setTimeout, UndercroftError } from "../../base/mod.js";
import type { LoadWait, RunningLoad } from "./load-wait.js";
import type { WaitWatch } from "./loader-wait.js";
import { keyTextOf } from "./loading.js";
import { type Probe, ProbeChannel } from "./probe-channel.js";
import { Reach, ringsFrom } from "./wait-graph.js";

/** How often the watch looks. */
export const lookMs = 250;
/** How long a ring stands before a wait of it is refused: a loader that only started a fetch may
 *  end meanwhile. */
export const ringMsMin = 500;
/** A wait is looked at again after twice as long, up to this. */
export const lookMsMax = 8000;
/** Waits so young keep the process alive, so that it does not end before a ring is found. */
const keepAliveMs = 4 * ringMsMin;
/** Flights looked at for probes from one look to the next; the other waits are looked at then. */
const reachedMax = 20_000;
/** How far a probe goes, and how many of its kind are remembered so as to be sent on once. */
const hopsMax = 128;
const probesRememberedMax = 4096;
/** Keys named of a ring. */
const keysNamedMax = 8;

interface Watched {
  readonly id: number;
  dueMs: number;
  gapMs: number;
}

export class CycleWatch implements WaitWatch {
  readonly #id = randomUUID();
  readonly #waits = new Map<LoadWait, Watched>();
  readonly #byId = new Map<number, LoadWait>();
  /** The loads that have waits and that other threads may follow, by the names of their flights. */
  readonly #loadings = new Map<string, RunningLoad>();
  readonly #channel = new ProbeChannel((probe) => this.#take(probe));
  readonly #sentOn = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  #ids = 0;
  #reached = 0;

  begin(wait: LoadWait): void {
    this.#ids += 1;
    this.#waits.set(wait, { id: this.#ids, dueMs: 0, gapMs: ringMsMin });
    this.#byId.set(this.#ids, wait);
    for (const name of namesOf(wait.loading)) this.#loadings.set(name, wait.loading);
    this.#timer ??= setTimeout(() => this.#look(), lookMs);
    this.#timer.ref();
  }

  end(wait: LoadWait): void {
    const watched = this.#waits.get(wait);
    if (watched === undefined) return;
    this.#waits.delete(wait);
    this.#byId.delete(watched.id);
    if (this.#waits.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#loadings.clear();
    this.#sentOn.clear();
    this.#channel.close();
  }

  #look(): void {
    const now = monotonicMs();
    this.#looks += 1;
    this.#reached = 0;
    // Before the first probe that asks for one of these waits: that comes after ringMsMin.
    this.#channel.open();
    this.#forgetEnded();
    const due = this.#takeDue(now);
    for (const ring of ringsFrom(due)) this.#refuse(ring.wait, ring.keys, ring.wait.sinceMs);
    for (const wait of due) this.#probe(wait, now);
    if (this.#waits.size === 0) return;
    this.#timer = setTimeout(() => this.#look(), lookMs);
    if (!this.#hasYoung(now)) this.#timer.unref();
  }

  #forgetEnded(): void {
    for (const [name, loading] of this.#loadings) {
      if (loading.waits.size === 0) this.#loadings.delete(name);
    }
  }

  #takeDue(now: number): LoadWait[] {
    const due: LoadWait[] = [];
    for (const [wait, watched] of this.#waits) {
      if (watched.dueMs > now) continue;
      due.push(wait);
      const isFirst = watched.dueMs === 0;
      watched.dueMs = isFirst ? wait.sinceMs + ringMsMin : now + watched.gapMs;
      if (!isFirst) watched.gapMs = Math.min(lookMsMax, watched.gapMs * 2);
    }
    return due;
  }

  #hasYoung(now: number): boolean {
    for (const wait of this.#waits.keys()) if (now - wait.sinceMs < keepAliveMs) return true;
    return false;
  }

  /** Asks other threads whether a wait is part of a ring. A ring over threads comes into each of
   *  them by a flight with followers, so the waits of those are enough. */
  #probe(wait: LoadWait, now: number): void {
    const { loading, flight, board, sinceMs } = wait;
    const watched = this.#waits.get(wait);
    const own = loading.flights.find(
      ({ number }) => number !== -1 && loading.board.hasFollowers(number),
    );
    if (watched === undefined || own === undefined) return;
    if (this.#reached > reachedMax) {
      watched.dueMs = now;
      return;
    }
    const { id } = watched;
    const first = { origin: this.#id, wait: id, look: this.#looks, keys: [keyTextOf(own)] };
    this.#sendOn({ ...first, name: "", sinceMs, hops: 0 }, this.#reach(flight, board));
  }

  #reach(...from: ConstructorParameters<typeof Reach>): Reach {
    const reach = new Reach(...from);
    this.#reached += reach.size;
    return reach;
  }

  #sendOn(probe: Probe, reach: Reach): void {
    for (const { name, keys, sinceMs } of reach.beyond) {
      const next: Probe = {
        ...probe,
        name,
        keys: [...probe.keys, ...keys].slice(0, keysNamedMax),
        sinceMs: Math.max(probe.sinceMs, sinceMs),
        hops: probe.hops + 1,
      };
      // Another cache of this thread may lead it.
      if (this.#loadings.has(name)) this.#take(next);
      else this.#channel.send(next);
    }
  }

  /** A probe has come to a flight. */
  #take(probe: Probe): void {
    const loading = this.#loadings.get(probe.name);
    const flight = loading?.flight;
    if (loading === undefined || flight === undefined || this.#reached > reachedMax) return;
    const reach = this.#reach(flight, loading.board);
    const wait = probe.origin === this.#id ? this.#byId.get(probe.wait) : undefined;
    const back = wait?.loading.flight === undefined ? undefined : reach.to(wait.loading.flight);
    if (wait !== undefined && back !== undefined) {
      const keys = [...probe.keys, ...back.keys.slice(1)];
      this.#refuse(wait, keys, Math.max(probe.sinceMs, back.sinceMs));
      return;
    }
    const kind = `${probe.origin}/${probe.wait}/${probe.look}/${probe.name}`;
    if (probe.hops >= hopsMax || this.#sentOn.has(kind)) return;
    if (this.#sentOn.size >= probesRememberedMax) this.#sentOn.clear();
    this.#sentOn.add(kind);
    this.#sendOn({ ...probe, keys: probe.keys.slice(0, -1) }, reach);
  }

  #refuse(wait: LoadWait, keys: readonly string[], sinceMs: number): void {
    if (monotonicMs() - sinceMs < ringMsMin || !this.#waits.has(wait)) return;
    const named = keys.slice(0, keysNamedMax).join(" → ");
    const ring = keys.length > keysNamedMax ? `${named} → …` : named;
    wait.refuse(
      new UndercroftError(
        "ERR_LOADER_CYCLE",
        `Cannot load key ${keyTextOf(wait.flight)}: its load waits for itself: ${ring}; ` +
          "a loader must not wait for a fetch of its own key, directly or by other loaders",
      ),
    );
  }
}

/** The names of the flights of a load that other threads can follow. */
function namesOf({ flights, board }: RunningLoad): string[] {
  return flights.flatMap(({ number }) => (number === -1 ? [] : [board.nameOf(number)]));
}
