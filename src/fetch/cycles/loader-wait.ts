// A fetch that a loader makes and waits for. Whether it waits shows in the promise: the loader
// awaits it, or gives it to another promise. A fetch that a loader only starts is no wait. Called
// by ReadThrough. Invariant: a wait is among its loader's waits from the moment that the loader
// waits until the fetch is settled or its load is over.
import { monotonicMs } from "../../base/mod.js";
import type { FlightBoard } from "../fetch-parts.js";
import type { LoadFlight, LoadWait, RunningLoad } from "./load-wait.js";

/** Told of each wait. */
export interface WaitWatch {
  begin(wait: LoadWait): void;
  end(wait: LoadWait): void;
}

export class LoaderWait implements LoadWait {
  readonly loading: RunningLoad;
  readonly flight: LoadFlight;
  readonly board: FlightBoard;
  readonly refuse: (error: Error) => void;
  readonly #watch: WaitWatch;
  /** Monotonic ms when the loader began to wait; undefined before. */
  #sinceMs: number | undefined;
  #isOver = false;

  constructor(parts: Omit<LoadWait, "sinceMs">, watch: WaitWatch) {
    this.loading = parts.loading;
    this.flight = parts.flight;
    this.board = parts.board;
    this.refuse = parts.refuse;
    this.#watch = watch;
  }

  get sinceMs(): number {
    return this.#sinceMs ?? Infinity;
  }

  /** The loader waits from now on. */
  begin(): void {
    if (this.#isOver || this.#sinceMs !== undefined || this.loading.isOver) return;
    this.#sinceMs = monotonicMs();
    this.loading.waits.add(this);
    this.#watch.begin(this);
  }

  /** The fetch is settled. */
  end(): void {
    this.#isOver = true;
    this.loading.waits.delete(this);
    if (this.#sinceMs !== undefined) this.#watch.end(this);
  }
}

/** What `fetch` answers a loader: a promise that notes whether somebody waits for it, or for what
 *  `then`, `catch` or `finally` made of it. */
export class LoaderPromise<Value> extends Promise<Value> {
  #wait: LoaderWait | undefined;

  static of<Value>(promise: Promise<Value>, wait: LoaderWait): LoaderPromise<Value> {
    const own = new LoaderPromise<Value>((resolve) => {
      resolve(promise);
    });
    own.#wait = wait;
    return own;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- a promise has it anyway
  override then<Result1 = Value, Result2 = never>(
    onFulfilled?: ((value: Value) => Result1 | PromiseLike<Result1>) | null,
    onRejected?: ((reason: unknown) => Result2 | PromiseLike<Result2>) | null,
  ): Promise<Result1 | Result2> {
    const derived = super.then(onFulfilled, onRejected);
    // An await, a promise resolved with this one and Promise.all pass functions of the engine.
    if (isOfEngine(onFulfilled)) this.#wait?.begin();
    else if (derived instanceof LoaderPromise) derived.#wait = this.#wait;
    return derived;
  }
}

function isOfEngine(value: unknown): boolean {
  return (
    typeof value === "function" &&
    Function.prototype.toString.call(value).endsWith("[native code] }")
  );
}
