// The storing of one stream, from before the model is called until the stream has ended: a forced
// load of its key, so that a delete, a clear or an invalidation of a tag meanwhile keeps it out,
// and of two streams at once the one that began last stays. Called by the middleware. Invariant: it
// ends with the stream, and neither delays that for others nor fails it.
import type { Space } from "../adapters/mod.js";
import type { SetOptions } from "../config/mod.js";
import type { Recording } from "./recorded-stream.js";

/** How long a stream may take, to be stored at its end: it takes room among the loads. */
export const recordingMsMax = 10 * 60_000;

export class StoredRecording {
  readonly #ending = new AbortController();
  readonly #refuse: (kind: string, reason: unknown) => void;
  readonly #stored: Promise<void>;
  #give: (recording: Recording | undefined) => void = () => {};
  #isLoading = false;

  /** `refuse` is told why a recording is not stored. */
  constructor(
    space: Space,
    key: string,
    options: Pick<SetOptions, "ttl" | "tags">,
    refuse: (kind: string, reason: unknown) => void,
  ) {
    this.#refuse = refuse;
    const recording = new Promise<Recording | undefined>((resolve) => {
      this.#give = resolve;
    });
    const load = (): Promise<Recording | undefined> => {
      this.#isLoading = true;
      return recording;
    };
    const { signal } = this.#ending;
    const timeout = { hard: recordingMsMax };
    const forced = { ...options, forceRefresh: true, negativeTtl: 0, timeout, signal };
    this.#stored = space.fetch(key, load, forced).then(
      () => undefined,
      (error: unknown) => {
        if (!signal.aborted) this.#refuse("the cache refused it", error);
      },
    );
  }

  /** Stores the recording, or nothing; tells why if that is worth telling. Resolves when that is
   *  done. Only the first call counts. */
  async end(end: Recording | string): Promise<void> {
    if (typeof end === "string" && end !== "") this.#refuse(end, undefined);
    this.#give(typeof end === "string" ? undefined : end);
    // Without a load of its own there was no room, or another stream began in the same moment.
    if (!this.#isLoading) this.#ending.abort();
    await this.#stored;
  }
}
