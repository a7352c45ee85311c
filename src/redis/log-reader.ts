// Follows the log of what all who share the tier do, on a connection of its own, by blocking reads.
// Called by RedisTier. Invariants: what others did up to `position` has been told. If the server
// has not confirmed for `stalenessMs` that nothing is missing, all is told to have ended, and again
// after each further such time; so nothing in the cache is older than that.
import { clearTimeout, monotonicMs, setTimeout } from "../base/mod.js";
import type { TierListener } from "../outer-tiers/mod.js";
import type { OwnConnection } from "./connection.js";
import { keyOf, voidingOf } from "./entry-text.js";
import { openScript } from "./scripts.js";
import { type KeyNames, randomEpoch, randomPart, Server, textOf, within } from "./server.js";

/** The longest that one read of the log blocks. */
export const blockMsMax = 500;
/** The most batches of one read. */
export const readBatchesMax = 256;
/** The wait before another connection is made: doubled each time, up to the most. */
export const reconnectMsMin = 50;
export const reconnectMsMax = 1000;

/** Where in which history. */
export interface Position {
  readonly epoch: string;
  /** The last batch that was told. */
  readonly id: string;
}

interface Batch {
  readonly id: string;
  readonly writer: string;
  /** Pairs of a kind and an id or a name. */
  readonly fields: readonly Buffer[];
}

export interface LogParts {
  readonly names: KeyNames;
  /** Batches of this writer are not told. */
  readonly writer: string;
  readonly timeoutMs: number;
  readonly stalenessMs: number;
  readonly connect: () => OwnConnection;
  readonly listener: TierListener;
}

export class LogReader {
  readonly #parts: LogParts;
  readonly #blockMs: number;
  #position: Position | undefined;
  /** The newest batch of which this host knows that it was there: told, or its own. */
  #witness = "0-1";
  #isInTouch = false;
  #isClosed = false;
  #isCut = false;
  #why = new Error("the log of the tier was not reached yet");
  #connection: OwnConnection | undefined;
  #silence: NodeJS.Timeout | undefined;
  #pause: NodeJS.Timeout | undefined;
  #endPause: () => void = () => undefined;
  #contact: () => void = () => undefined;
  /** Resolves at the first contact. */
  readonly contact = new Promise<void>((resolve) => {
    this.#contact = resolve;
  });

  constructor(parts: LogParts) {
    this.#parts = parts;
    this.#blockMs = Math.min(blockMsMax, Math.floor(parts.stalenessMs / 4));
  }

  /** Undefined before the first contact. */
  get position(): Position | undefined {
    return this.#position;
  }

  get witness(): string {
    return this.#witness;
  }

  /** A batch of this host was made; its news may not have come. */
  made(epoch: string, id: string): void {
    if (this.#position?.epoch === epoch) this.#know(id);
  }

  #know(id: string): void {
    if (sequenceOf(id) > sequenceOf(this.#witness)) this.#witness = id;
  }

  get isInTouch(): boolean {
    return this.#isInTouch;
  }

  /** Why it is out of touch. */
  get why(): Error {
    return this.#why;
  }

  start(): void {
    this.#listenForSilence(this.#parts.stalenessMs);
    void this.#run();
  }

  close(): void {
    this.#isClosed = true;
    this.#isInTouch = false;
    clearTimeout(this.#silence);
    clearTimeout(this.#pause);
    this.#connection?.close();
    this.#endPause();
    this.#contact();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    let waitMs = reconnectMsMin;
    while (!this.#isClosed) {
      const before = this.#position;
      try {
        await this.#followOnce();
      } catch (error) {
        if (error instanceof Error) this.#why = error;
      }
      this.#connection?.close();
      this.#connection = undefined;
      if (this.#isClosed) return;
      waitMs = this.#position === before ? Math.min(waitMs * 2, reconnectMsMax) : reconnectMsMin;
      await new Promise<void>((resolve) => {
        this.#endPause = resolve;
        this.#pause = setTimeout(resolve, waitMs).unref();
      });
    }
  }

  /** Follows the log on one connection, until it fails. */
  async #followOnce(): Promise<void> {
    const { connect, timeoutMs } = this.#parts;
    const connection = connect();
    this.#connection = connection;
    await within(timeoutMs, "the connection of the log", connection.open());
    const server = new Server(connection, timeoutMs);
    await this.check(server);
    while (!this.#isClosed) await this.#readOnce(server);
  }

  /** Asks the server whether the log has all since the position. If not, all has ended.
   *  `isBroken`: it has not. */
  async check(server: Server, isBroken = false): Promise<void> {
    const before = this.#position;
    const sentMs = monotonicMs();
    const [epoch, id, isKnown] = await server.run(openScript, this.#parts.names.base, [
      randomEpoch(),
      randomPart(),
      isBroken ? "" : (before?.epoch ?? ""),
      before?.id ?? "0-1",
      this.#witness,
    ]);
    if (this.#isClosed || this.#position !== before) return;
    const last: Position = { epoch: textOf(epoch), id: textOf(id) };
    if (Number(isKnown) !== 1) {
      // At the first contact too: what is there by then may have missed something.
      this.#endAll();
      this.#position = last;
      this.#witness = last.id;
    }
    if (last.id === this.#position?.id) this.#touch(sentMs);
  }

  async #readOnce(server: Server): Promise<void> {
    const position = this.#position;
    if (position === undefined) return;
    const sentMs = monotonicMs();
    const block = ["BLOCK", this.#blockMs, "COUNT", readBatchesMax];
    const words = ["XREAD", ...block, "STREAMS", this.#parts.names.log, position.id];
    const batches = batchesOf(await server.send(words, this.#blockMs));
    if (this.#isClosed || this.#position !== position) return;
    if (batches.length === 0) return this.check(server);
    if (!this.#tell(position, batches)) return this.check(server, true);
    if (batches.length < readBatchesMax) this.#touch(sentMs);
  }

  /** False if a batch is missing. */
  #tell({ epoch, id }: Position, batches: readonly Batch[]): boolean {
    let sequence = sequenceOf(id);
    for (const batch of batches) {
      if (sequenceOf(batch.id) !== ++sequence) return false;
      if (batch.writer !== this.#parts.writer) this.#tellBatch(batch);
      // Only now: what is told first cannot be overwritten by what was made before.
      this.#position = { epoch, id: batch.id };
      this.#know(batch.id);
    }
    return true;
  }

  #tellBatch({ fields }: Batch): void {
    const { listener } = this.#parts;
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const text = fields[at + 1] as Buffer;
      const kind = textOf(fields[at]);
      if (kind === "n") {
        listener.ended(voidingOf(text));
        continue;
      }
      const key = keyOf(text);
      if (key === undefined) listener.ended({ kind: "clear", namespace: null });
      else if (kind === "r") listener.freed(key);
      else listener.ended({ kind: "delete", ...key });
    }
  }

  // ── Touch ───────────────────────────────────────────────────────────────────────────────────

  /** Nothing that was done before this moment is missing. */
  #touch(sentMs: number): void {
    clearTimeout(this.#silence);
    this.#listenForSilence(sentMs + this.#parts.stalenessMs - monotonicMs());
    this.#contact();
    if (this.#isInTouch) return;
    this.#isInTouch = true;
    if (this.#isCut) this.#parts.listener.touched(null);
    this.#isCut = false;
  }

  #listenForSilence(ms: number): void {
    if (ms === Infinity) return;
    this.#silence = setTimeout(() => this.#beSilent(), Math.max(0, ms)).unref();
  }

  #beSilent(): void {
    const { listener, stalenessMs } = this.#parts;
    this.#isInTouch = false;
    this.#endAll();
    if (!this.#isCut) listener.touched(this.#why);
    this.#isCut = true;
    this.#listenForSilence(stalenessMs);
  }

  #endAll(): void {
    this.#parts.listener.ended({ kind: "clear", namespace: null });
  }
}

function sequenceOf(id: string): number {
  return Number(id.slice(0, id.indexOf("-")));
}

/** The batches in the answer of XREAD: of one stream, as a list or a map. */
function batchesOf(answer: unknown): Batch[] {
  if (answer === null || answer === undefined) return [];
  const rows: unknown = Array.isArray(answer)
    ? rowsOfList(answer)
    : answer instanceof Map
      ? Array.from(answer.values())[0]
      : Object.values(answer as object)[0];
  return (rows as [unknown, Buffer[]][]).map(([id, fields]) => {
    return { id: textOf(id), writer: textOf(fields[1]), fields: fields.slice(4) };
  });
}

/** A list of pairs, or the pairs in a row. */
function rowsOfList(answer: readonly unknown[]): unknown {
  const [first, second] = answer;
  return Array.isArray(first) ? first[1] : second;
}
