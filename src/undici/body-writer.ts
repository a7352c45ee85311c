// The stream that undici writes a body to. Made by the store. Invariant: what is destroyed before
// its end, by the host or for its size, is not stored.
import { Writable } from "node:stream";

/** What becomes of a body. */
interface BodyFate {
  /** It is whole. Answers at once, or by a promise if the end has to wait. */
  ended(body: Uint8Array): Promise<void> | undefined;
  /** It is too large, and the stream is destroyed. */
  oversized(): void;
}

export class BodyWriter extends Writable {
  readonly #bytesMax: number;
  readonly #fate: BodyFate;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(bytesMax: number, fate: BodyFate) {
    super({ decodeStrings: true });
    this.#bytesMax = bytesMax;
    this.#fate = fate;
  }

  override _write(chunk: Uint8Array, _: string, done: (error?: Error | null) => void): void {
    this.#bytes += chunk.length;
    if (this.#bytes <= this.#bytesMax) {
      // A copy: the host goes on to pass the chunk to its reader, who may change it.
      this.#chunks.push(Buffer.from(chunk));
    } else {
      this.#chunks = [];
      this.#fate.oversized();
      this.destroy();
    }
    done();
  }

  override _final(done: (error?: Error | null) => void): void {
    const body = Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks = [];
    try {
      const ending = this.#fate.ended(body);
      if (ending === undefined) done();
      else void endWhen(ending, done);
    } catch (error) {
      done(error as Error);
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#chunks = [];
    done(error);
  }
}

async function endWhen(ending: Promise<void>, done: (error: Error | null) => void): Promise<void> {
  let fault: Error | null = null;
  try {
    await ending;
  } catch (error) {
    fault = error as Error;
  }
  done(fault);
}
