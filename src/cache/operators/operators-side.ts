// What the opener answers operators, and where. Made by `openCache` with the option `operators`.
import { elapsedMs } from "../../base/mod.js";
import type { OpenDirectory } from "../../directory/mod.js";
import type { ThreadCore } from "../../entries/mod.js";
import {
  Answering,
  type HotKey,
  listenNamed,
  type NamedSocket,
  protocolVersion,
  type Question,
  type Recorded,
  type RecordQuestion,
  type Sample,
} from "../../operators/mod.js";
import { detailsOf } from "./operators-details.js";
import { actOnKey, type KeySpaces } from "./operators-keys.js";
import type { OuterSide } from "../outer/outer-side.js";
import { readRecentKeys, RequestTaker } from "../../stats/mod.js";
import { snapshotOf } from "../statistics.js";

/** Seconds of which operators are told the hottest keys. */
const hotKeysSeconds = 60;

export class OperatorsSide {
  readonly #core: ThreadCore;
  readonly #tiers: OuterSide | null;
  readonly #answering = new Answering({
    sample: (question) => this.#sample(question),
    key: async (question) => {
      this.#core.assertOpen();
      return actOnKey(this.#spaces, question);
    },
  });
  #spaces: KeySpaces = () => undefined;
  readonly #openedMs = elapsedMs();
  #named: NamedSocket | undefined;
  readonly #requests: RequestTaker | null;

  constructor(core: ThreadCore, tiers: OuterSide | null) {
    this.#core = core;
    this.#tiers = tiers;
    const { requests } = core.handle;
    this.#requests = requests === null ? null : new RequestTaker(requests);
  }

  /** From now on keys may be asked for. */
  reach(spaces: KeySpaces): void {
    this.#spaces = spaces;
  }

  /** Answers over the socket of a directory. */
  over(directory: OpenDirectory): void {
    directory.answer(this.#answering.accept);
  }

  /** Answers over a socket that is found by the cache's name. Rejects with ERR_DISK_IO. */
  async overName(): Promise<void> {
    this.#named = await listenNamed(this.#core.config.name, this.#answering.accept);
  }

  close(): void {
    this.#named?.close();
    this.#answering.close();
  }

  #sample({ keys, names, details, record }: Question): Sample {
    const core = this.#core;
    const { recentKeys } = core.handle;
    core.assertOpen();
    const recent = recentKeys === null ? null : readRecentKeys(recentKeys, hotKeysSeconds);
    const hottest = (recent?.keys ?? []).slice(0, keys).map(({ hash, space, samples, text }) => {
      const namespace = space === 0 ? "" : core.kernel.namespaces.nameOf(space);
      const key: HotKey = { hash, namespace, samples };
      return names ? { ...key, key: text } : key;
    });
    const sample: Sample = {
      v: protocolVersion,
      pid: process.pid,
      node: process.version,
      name: core.config.name,
      path: core.config.disk?.path ?? null,
      openMs: elapsedMs() - this.#openedMs,
      stats: snapshotOf(core, this.#tiers),
      keys: hottest,
      keySamples: recent?.samples ?? 0,
      details: details ? detailsOf(core) : null,
    };
    return record === undefined ? sample : { ...sample, recorded: this.#recorded(record) };
  }

  #recorded({ sample, salt }: RecordQuestion): Recorded | null {
    const taken = this.#requests?.take(sample, salt);
    if (taken === undefined) return null;
    return { ...taken, events: taken.events.toString("base64") };
  }
}
