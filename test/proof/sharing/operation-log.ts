// What a process did, in a file: it survives the process, whose end may come in the middle of an
// operation. Invariant: what an operation will do is written before it begins, its end after it has
// returned. Times are milliseconds of the machine's monotonic clock, one for all processes.
import fs from "node:fs";

/** The kind of an operation; 0 is none. */
export const kinds = {
  set: 1,
  delete: 2,
  deleteByTag: 3,
  clear: 4,
  read: 5,
  fetch: 6,
} as const;

export interface Operation {
  /** Also the number of the value that it writes. */
  readonly id: number;
  readonly process: number;
  readonly kind: number;
  /** For a deletion by tag that of the tag. */
  readonly key: number;
  readonly begin: number;
  /** Infinity if it did not return, or was not awaited. */
  readonly end: number;
  /** The value read; -1 for a miss. */
  readonly value: number;
  /** When its loader was called; 0 if it was not. */
  readonly load: number;
  /** The tag of its value; -1 for none. */
  readonly tag: number;
}

const fields = 8;
const recordBytes = fields * 8;
/** The most operations of one process. */
export const operationsMax = 1 << 22;

export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export class OperationLog {
  readonly #fd: number;
  readonly #process: number;
  #count = 0;

  constructor(file: string, process: number) {
    this.#fd = fs.openSync(file, "w");
    this.#process = process;
  }

  get isFull(): boolean {
    return this.#count >= operationsMax;
  }

  /** Notes what is about to begin, and answers its id. */
  begin(kind: number, key: number, tag = -1): number {
    const index = this.#count++;
    this.#write(index, [kind, key, now(), 0, 0, 0, tag + 1, 0], 0);
    return this.#process * operationsMax + index;
  }

  /** Notes what has returned: not if it was not awaited. */
  end(id: number, value = -1, load = 0): void {
    this.#write(id % operationsMax, [now(), value + 1, load], 3);
  }

  /** Notes that a loader was called. */
  loads(id: number): number {
    const time = now();
    this.#write(id % operationsMax, [time], 5);
    return time;
  }

  #write(index: number, numbers: readonly number[], field: number): void {
    const bytes = new Uint8Array(Float64Array.from(numbers).buffer);
    fs.writeSync(this.#fd, bytes, 0, bytes.length, index * recordBytes + field * 8);
  }
}

/** The operations of a process that has ended. */
export function readLog(file: string, process: number): Operation[] {
  const bytes = fs.readFileSync(file);
  const whole = bytes.length - (bytes.length % recordBytes);
  const words = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + whole));
  const operations: Operation[] = [];
  for (let index = 0; index < words.length / fields; index++) {
    const [kind, key, begin, end, value, load, tag] = words.subarray(index * fields) as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    if (kind === 0) continue;
    operations.push({
      id: process * operationsMax + index,
      process,
      kind,
      key,
      begin,
      end: end === 0 ? Infinity : end,
      value: value - 1,
      load,
      tag: tag - 1,
    });
  }
  return operations;
}
