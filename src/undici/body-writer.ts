// The stream that undici writes a body to. Made by the store. A small body is collected; one that
// grows is passed on as it comes, and undici waits while that is full. Invariant: what is destroyed
// before its end, by the host or for its size, is not stored.
import { Readable, Writable } from "node:stream";

/** A body of more bytes is not collected. */
export const collectedBytesMax = 256 * 1024;
/** Bytes that may wait here: undici does not stop for a body that it has from the cache. A body of
 *  which more waits is not stored. */
const waitingBytesMax = 16 * 1024 * 1024;

/** What becomes of a body. */
interface BodyFate {
  /** It grows: resolves to whether all of it was stored, once the source has ended. */
  grown(source: Readable): Promise<boolean>;
  /** It is whole; undefined if it has grown and was stored. Answers at once, or by a promise if the
   *  end has to wait. */
  ended(body: Uint8Array | undefined): Promise<void> | undefined;
  /** It is too large, and the stream is destroyed. */
  oversized(): void;
}

type Done = (error?: Error | null) => void;

export class BodyWriter extends Writable {
  readonly #bytesMax: number;
  readonly #fate: BodyFate;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Of a body that has grown. */
  #source: Readable | undefined;
  #isStored: Promise<boolean> | undefined;
  /** Waits until the source takes more. */
  #waiting: Done | undefined;

  constructor(bytesMax: number, fate: BodyFate) {
    super({ decodeStrings: true });
    this.#bytesMax = bytesMax;
    this.#fate = fate;
  }

  override _write(chunk: Uint8Array, _: string, done: Done): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#bytesMax) {
      this.#fate.oversized();
      this.destroy();
      done();
      return;
    }
    // A copy: the host goes on to pass the chunk to its reader, who may change it.
    const own = Buffer.from(chunk);
    if (this.#source === undefined) {
      this.#chunks.push(own);
      if (this.#bytes > collectedBytesMax) this.#grow();
      done();
      return;
    }
    // A source that was ended early takes no more, and nothing is stored.
    if (this.writableLength > waitingBytesMax) this.#source.destroy();
    if (this.#source.destroyed || this.#source.push(own)) done();
    else this.#waiting = done;
  }

  #grow(): void {
    const goOn = (): void => {
      const done = this.#waiting;
      this.#waiting = undefined;
      done?.();
    };
    const source = new Readable({
      read: goOn,
      destroy: (error, done) => {
        done(error);
        goOn();
      },
    });
    for (const chunk of this.#chunks) source.push(chunk);
    this.#chunks = [];
    this.#source = source;
    this.#isStored = this.#fate.grown(source);
  }

  override _final(done: Done): void {
    try {
      const ending = this.#source === undefined ? this.#endCollected() : this.#endGrown();
      if (ending === undefined) done();
      else void endWhen(ending, done);
    } catch (error) {
      done(error as Error);
    }
  }

  #endCollected(): Promise<void> | undefined {
    const body = Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks = [];
    return this.#fate.ended(body);
  }

  async #endGrown(): Promise<void> {
    if (this.#source?.destroyed === false) this.#source.push(null);
    if (await this.#isStored) await this.#fate.ended(undefined);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#chunks = [];
    if (!this.writableFinished) this.#source?.destroy();
    done(error);
  }
}

async function endWhen(ending: Promise<void>, done: Done): Promise<void> {
  let fault: Error | null = null;
  try {
    await ending;
  } catch (error) {
    fault = error as Error;
  }
  done(fault);
}
