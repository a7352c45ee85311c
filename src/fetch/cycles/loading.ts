// The loader that is running: what its own fetches know of it. Called by Lead, which runs loaders,
// and by ReadThrough. The context goes with the loader's promises, timers and callbacks in
// AsyncLocalStorage, which makes every promise of the thread dearer on Node.js 20 and 22. So it is
// on only while loaders run (docs/internals/decisions/0020-loader-cycles.md).
import { AsyncLocalStorage } from "node:async_hooks";
import { describe } from "../../base/mod.js";
import type { FlightBoard } from "../fetch-parts.js";
import type { LoadFlight, LoadWait, RunningLoad } from "./load-wait.js";

const context = new AsyncLocalStorage<Loading | undefined>();
let live = 0;

/** The innermost load that is not over whose loader made this call, if a loader did. */
export function currentLoading(): Loading | undefined {
  return live === 0 ? undefined : Loading.liveOf(context.getStore());
}

/** Makes a call as if the loader of this load made it, or no loader. */
export function inContextOf<Result>(loading: Loading | undefined, call: () => Result): Result {
  return live === 0 ? call() : context.run(loading, call);
}

/** One run of a loader, until its load is over; what the loader does later is not the load's. A
 *  loader of many keys runs for the loads that were gathered into it: its waits are those of each,
 *  and it is over with the last. */
export class Loading implements RunningLoad {
  readonly board: FlightBoard;
  readonly #ownWaits = new Set<LoadWait>();
  readonly #keyId: string;
  #flight: LoadFlight | undefined;
  /** The load whose loader began this one. */
  #outer: Loading | undefined;
  #isOver = false;
  #whenOver: (() => void)[] = [];
  /** Of the loads that one call of a loader of many keys is for: all of them. */
  #gathered: readonly Loading[] = [this];

  /** `within`: the load whose loader began the flight, if one did. */
  constructor(flight: LoadFlight, board: FlightBoard, within: Loading | undefined) {
    this.board = board;
    this.#keyId = flight.key.id;
    this.#flight = flight;
    this.#outer = Loading.liveOf(within);
  }

  /** From now on one loader loads for all of them, which have one `board`; answers the load in
   *  whose context it must run. Call it before that loader is called. */
  static gather(loadings: readonly Loading[]): Loading {
    for (const loading of loadings) loading.#gathered = loadings;
    return loadings[0] as Loading;
  }

  get waits(): Set<LoadWait> {
    return (this.#gathered[0] as Loading).#ownWaits;
  }

  /** Whether a loader still runs for a load that is not over. */
  get #isLive(): boolean {
    return this.#gathered.some((one) => !one.#isOver);
  }

  /** The load itself if it is live, else the nearest around it that is. */
  static liveOf(loading: Loading | undefined): Loading | undefined {
    if (loading === undefined || loading.#isLive) return loading;
    // Remembered, so that loads that begin each other for ever are no chain in memory.
    loading.#outer = Loading.liveOf(loading.#outer);
    return loading.#outer;
  }

  get flight(): LoadFlight | undefined {
    return this.#flight ?? this.flights[0];
  }

  get flights(): readonly LoadFlight[] {
    return this.#gathered.flatMap((one) => one.#flight ?? []);
  }

  get isOver(): boolean {
    return !this.#isLive;
  }

  /** The load of this key that is live and is this one, one gathered with it, or around them. */
  loadOf(keyId: string, cacheId: string): Loading | undefined {
    const seen = new Set<Loading>();
    const next: (Loading | undefined)[] = [this];
    while (next.length > 0) {
      const loading = Loading.liveOf(next.pop());
      if (loading === undefined || seen.has(loading)) continue;
      for (const one of loading.#gathered) {
        seen.add(one);
        const isThis = one.#keyId === keyId && one.board.cacheId === cacheId;
        if (isThis && !one.#isOver) return one;
        next.push(one.#outer);
      }
    }
    return undefined;
  }

  /** Runs the loader. */
  run<Result>(loader: () => Result): Result {
    live += 1;
    return context.run(this, loader);
  }

  /** Runs the loader of many keys that these loads were gathered into. */
  runGathered<Result>(loader: () => Result): Result {
    return inContextOf(this, loader);
  }

  /** The load is over, whether its loader has ended or not. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#flight = undefined;
    if (!this.#isLive) this.waits.clear();
    live -= 1;
    if (live === 0) context.disable();
    for (const over of this.#whenOver) over();
    this.#whenOver = [];
  }

  /** Resolves when the load is over. */
  over(): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenOver.push(resolve);
    });
  }
}

/** The key of a flight, for a message. */
export function keyTextOf(flight: LoadFlight): string {
  return describe(flight.key.toKey());
}
