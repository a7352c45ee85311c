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

/** One run of a loader, until its load is over; what the loader does later is not the load's. */
export class Loading implements RunningLoad {
  readonly board: FlightBoard;
  readonly waits: Set<LoadWait> = new Set();
  readonly #keyId: string;
  #flight: LoadFlight | undefined;
  /** The load whose loader began this one. */
  #outer: Loading | undefined;
  #isOver = false;
  #whenOver: (() => void)[] = [];

  /** `within`: the load whose loader began the flight, if one did. */
  constructor(flight: LoadFlight, board: FlightBoard, within: Loading | undefined) {
    this.board = board;
    this.#keyId = flight.key.id;
    this.#flight = flight;
    this.#outer = Loading.liveOf(within);
  }

  /** The load itself if it is live, else the nearest around it that is. */
  static liveOf(loading: Loading | undefined): Loading | undefined {
    if (loading === undefined || !loading.#isOver) return loading;
    // Remembered, so that loads that begin each other for ever are no chain in memory.
    loading.#outer = Loading.liveOf(loading.#outer);
    return loading.#outer;
  }

  get flight(): LoadFlight | undefined {
    return this.#flight;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The load of this key that is live and is this one or around it. */
  loadOf(keyId: string, cacheId: string): Loading | undefined {
    for (let loading = Loading.liveOf(this); loading !== undefined;) {
      if (loading.#keyId === keyId && loading.board.cacheId === cacheId) return loading;
      loading = Loading.liveOf(loading.#outer);
    }
    return undefined;
  }

  /** Runs the loader. */
  run<Result>(loader: () => Result): Result {
    live += 1;
    return context.run(this, loader);
  }

  /** The load is over, whether its loader has ended or not. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#flight = undefined;
    this.waits.clear();
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
