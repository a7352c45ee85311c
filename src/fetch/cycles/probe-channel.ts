// Probes between the threads of the process: a probe asks the thread that leads a flight what that
// flight waits for. Called by CycleWatch. A probe may be lost; the wait is looked at again later.
import { BroadcastChannel } from "node:worker_threads";

/** The question whether a wait is part of a ring, on its way round. */
export interface Probe {
  /** The watch that sent it, the wait that it asks about, and the look at which it was sent. */
  readonly origin: string;
  readonly wait: number;
  readonly look: number;
  /** The flight that it has come to. */
  readonly name: string;
  /** The keys on its way, the first of them only. */
  readonly keys: readonly string[];
  /** When the youngest wait on its way began, in monotonic ms. */
  readonly sinceMs: number;
  /** How often it went to another flight. */
  readonly hops: number;
}

const channelName = "undercroft:loader-waits:1";

export class ProbeChannel {
  readonly #take: (probe: Probe) => void;
  #channel: BroadcastChannel | undefined;

  /** `take` is called with each probe of another thread while the channel is open. */
  constructor(take: (probe: Probe) => void) {
    this.#take = take;
  }

  open(): void {
    if (this.#channel !== undefined) return;
    const channel = new BroadcastChannel(channelName);
    channel.onmessage = (message: unknown) => {
      this.#take((message as { readonly data: Probe }).data);
    };
    // Loads keep the process alive, not the questions about them.
    channel.unref();
    this.#channel = channel;
  }

  send(probe: Probe): void {
    this.#channel?.postMessage(probe);
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }
}
