// A stream of a model as it is stored: its parts, each as it came, and how they come again. Called
// by the middleware. Invariant: only what came to its end in good order is a recording.

/** A stream of a model in the cache. */
export interface Recording {
  /** What the model answered beside the stream: `request`, `response`. */
  readonly beside: object;
  readonly parts: readonly StreamPart[];
}

/** What the middleware reads of a part of any version of the specification. */
export interface StreamPart {
  readonly type?: unknown;
  readonly finishReason?: unknown;
}

/** The most parts of a stream that is recorded, and about the most bytes of them. */
export const recordedPartsMax = 65_536;
export const recordedBytesMax = 16 * 1024 * 1024;

export function isRecording(value: unknown): value is Recording {
  const { parts } = (typeof value === "object" && value !== null ? value : {}) as {
    readonly parts?: unknown;
  };
  return Array.isArray(parts);
}

/** Whether a model says that it failed: `finishReason` is a word, or since version 3 has one. */
export function isFailure(finishReason: unknown): boolean {
  const { unified } = (finishReason ?? {}) as { readonly unified?: unknown };
  return finishReason === "error" || unified === "error";
}

/** Takes copies of the parts of one stream as they pass. */
class Recorder {
  #beside: object = {};
  #parts: StreamPart[] = [];
  #bytes = 0;
  #isFinished = false;
  /** Why it is no recording, "" if the model failed; undefined while it may become one. */
  #fault: string | undefined;

  constructor(beside: object) {
    this.#try(() => {
      this.#beside = structuredClone(beside);
    });
  }

  add(part: StreamPart): void {
    if (this.#fault !== undefined) return;
    this.#try(() => {
      this.#take(part);
    });
    if (this.#fault !== undefined) this.#parts = [];
  }

  #try(copy: () => void): void {
    try {
      copy();
    } catch {
      this.#fault = "it is no plain data";
    }
  }

  #take(part: StreamPart): void {
    const { type, finishReason } = part;
    this.#bytes += bytesOf(part);
    if (type === "error" || isFailure(finishReason)) {
      this.#fault = "";
    } else if (this.#parts.length === recordedPartsMax || this.#bytes > recordedBytesMax) {
      this.#fault = `its stream has over ${recordedPartsMax} parts or ${recordedBytesMax} bytes`;
    } else {
      this.#parts.push(structuredClone(part));
      if (type === "finish") this.#isFinished = true;
    }
  }

  /** The recording of a stream that has ended; or why there is none. */
  end(): Recording | string {
    if (this.#fault !== undefined) return this.#fault;
    return this.#isFinished ? { beside: this.#beside, parts: this.#parts } : "";
  }
}

/** About the bytes of a part, whose content is in strings and bytes. */
function bytesOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 8;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  let bytes = 16;
  for (const member of Object.values(value)) bytes += bytesOf(member);
  return bytes;
}

/**
 * Passes a stream on as it is read. At its end `ended` gets the recording of it, or why there is
 * none, and the stream ends when that has resolved; "" if the model failed or the reader stopped.
 */
export function recorded(
  stream: ReadableStream,
  beside: object,
  ended: (end: Recording | string) => Promise<void>,
): ReadableStream {
  const recorder = new Recorder(beside);
  const reader = stream.getReader() as ReadableStreamDefaultReader<StreamPart>;
  return new ReadableStream<StreamPart>(
    {
      async pull(controller) {
        const read = await reader.read().catch(async (error: unknown) => {
          await ended("");
          throw error;
        });
        if (read.done) {
          await ended(recorder.end());
          controller.close();
        } else {
          recorder.add(read.value);
          controller.enqueue(read.value);
        }
      },
      async cancel(reason) {
        await ended("");
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/** The stream again: each part when it is asked for, and the caller's own. */
export function replayed<Part>({ parts }: Recording): ReadableStream<Part> {
  const rest = parts.values();
  return new ReadableStream<Part>(
    {
      pull(controller) {
        const { done, value } = rest.next();
        if (done === true) controller.close();
        else controller.enqueue(structuredClone(value) as Part);
      },
    },
    { highWaterMark: 0 },
  );
}
