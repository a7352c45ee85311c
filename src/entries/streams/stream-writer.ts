// Stores values that come as streams. Called by the facade. Invariants: the entry that is there
// stays until the last chunk and then gives way at once, so nothing half written is ever found; of
// two writes of the key the later one wins, by a flight, as for fills.
import type { ResolvedSetStreamOptions } from "../../config/mod.js";
import { codes, type HashedKey } from "../../kernel/mod.js";
import type { WriteFields } from "../../memory/mod.js";
import { codecBuffer } from "../../record/mod.js";
import { counterFillsSuperseded, counterFlightsRefused } from "../../stats/mod.js";
import { SegmentRoom } from "../segment-room.js";
import type { ThreadCore } from "../thread-core.js";
import type { ByteSource } from "./byte-source.js";
import { refuse, type StreamOutcome } from "./stream-outcome.js";
import { StreamedWrite } from "./streamed-write.js";

export class StreamWriter {
  readonly #core: ThreadCore;
  readonly #room: SegmentRoom;

  constructor(core: ThreadCore) {
    this.#core = core;
    this.#room = new SegmentRoom(core);
  }

  /** Rejects with what the source throws, with the signal's reason, and if the cache closes or the
   *  disk fails: then nothing has changed. The source is ended in each case. */
  async write(
    key: HashedKey,
    source: ByteSource,
    options: ResolvedSetStreamOptions,
  ): Promise<StreamOutcome> {
    try {
      const outcome = await this.#write(key, source, options);
      if (outcome !== "stored") source.stop(new Error(`the value is ${outcome}`));
      return outcome;
    } catch (error) {
      source.stop(error);
      throw error;
    }
  }

  async #write(
    key: HashedKey,
    source: ByteSource,
    options: ResolvedSetStreamOptions,
  ): Promise<StreamOutcome> {
    const core = this.#core;
    const { verbs } = core.kernel;
    if (!key.isHashed) return core.writer.refuse(key) as StreamOutcome;
    const fields = this.#fieldsOf(key, options);
    const flight = verbs.beginFlight(key.hashLow, key.hashHigh, core.keys.space);
    if (flight === codes.answerGuarded) {
      core.count(counterFillsSuperseded, 1);
      return "superseded";
    }
    if (flight < 0) {
      core.kernel.count(counterFlightsRefused, 1);
      return refuse(core, key, "overloaded");
    }
    try {
      const write = new StreamedWrite(core, this.#room, key, { ...fields, flight }, options);
      return await write.run(source);
    } finally {
      // A thread that has left the cache has ended its flights.
      if (!core.isDetached) verbs.endFlight(flight, codes.flightAgain, 0);
    }
  }

  #fieldsOf(key: HashedKey, options: ResolvedSetStreamOptions): WriteFields {
    const { admission, clock, kernel } = this.#core;
    const { tags, size = Infinity } = options;
    const createdMs = Math.floor(clock.now());
    const expiresMs = createdMs + options.ttlMs;
    return {
      codecId: codecBuffer,
      flags: 0,
      createdMs,
      expiresMs,
      staleUntilMs: expiresMs + options.staleForMs,
      tags: tags.length === 0 ? new Uint8Array(0) : kernel.tags.encode(tags),
      flight: -1,
      forDisk: admission?.admits(key.toKey(), size) ?? false,
    };
  }
}
