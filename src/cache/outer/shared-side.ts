// What the opener has of a directory that it shares with other processes (`disk.share: "host"`):
// the way to its owner, and the owner itself if this process has the directory. Made by openCache.
import type { UndercroftError } from "../../base/mod.js";
import type { ThreadCore } from "../../entries/mod.js";
import {
  AttachLoop,
  type BackCache,
  LeaseWords,
  type OpenedBack,
  ProcessTier,
  SpaceKeys,
} from "../../processes/mod.js";
import type { CacheEvents, CacheRecovery } from "../events.js";
import type { CacheListeners } from "../open-options.js";

/** The directory's cache as `openCache` opens it. */
export type OpenBack = (
  on: CacheListeners,
) => Promise<BackCache & { readonly recovery: CacheRecovery | null }>;

export class SharedSide {
  readonly words = new LeaseWords();
  readonly tier: ProcessTier;
  readonly #loop: AttachLoop;
  readonly #events: CacheEvents;
  #recovery: CacheRecovery | null = null;
  #told = "";

  constructor(core: ThreadCore, events: CacheEvents, path: string, openBack: OpenBack) {
    this.#events = events;
    const { words } = this;
    this.tier = new ProcessTier(keysOf(core), (count) => words.add("ended", count));
    this.#loop = new AttachLoop({
      path,
      words,
      openBack: () => this.#open(openBack),
      now: () => core.clock.now() - core.clockAheadMs,
      line: this.tier.events,
      lost: (error) => this.tier.lost(error),
      failed: (error) => events.emit("error", { error }),
      changed: () => this.#changed(),
    });
  }

  /** What was recovered when this process last took the directory; null if it never has. */
  get recovery(): CacheRecovery | null {
    return this.#recovery;
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  async #open(openBack: OpenBack): Promise<OpenedBack> {
    let lose: () => void = () => undefined;
    const lost = new Promise<void>((resolve) => (lose = resolve));
    const isLost = ({ code }: UndercroftError): boolean => code === "ERR_DIRECTORY_LOCKED";
    const cache = await openBack({
      "tier-down": (event) => {
        this.#events.emit("tier-down", event);
        if (isLost(event.error)) lose();
      },
      "tier-up": (event) => this.#events.emit("tier-up", event),
      error: ({ error }) => this.#events.emit("error", { error }),
      "worker-restarted": (event) => this.#events.emit("worker-restarted", event),
    });
    this.#recovery = cache.recovery;
    if (cache.recovery !== null) this.#events.emit("recovered", cache.recovery);
    const { kind } = cache.recovery ?? { kind: "new" };
    return { cache, wasClosed: kind === "new" || kind === "clean", lost };
  }

  #changed(): void {
    const { role, guests } = this.words.totals();
    const told = `${role} ${guests}`;
    if (told === this.#told) return;
    this.#told = told;
    this.#events.emit("role", { role, guests });
  }

  /** Leaves the owner; closes the directory if this process has it. */
  async close(): Promise<void> {
    await this.#loop.close();
  }
}

/** A process finds only what was stored by the same codec and under the same versions. */
function keysOf({ config, kernel }: ThreadCore): SpaceKeys {
  const { namespaces } = kernel;
  return new SpaceKeys((namespace) => {
    const own = [config.codecName, config.version];
    if (namespace === "") return own;
    const id = namespaces.idOf(namespace);
    return id === 0 || !namespaces.isInUse(id) ? undefined : [...own, namespaces.versionOf(id)];
  });
}
