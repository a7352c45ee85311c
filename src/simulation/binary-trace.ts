// Binary traces: 16-byte little-endian records, no header. Called by the trace reader per chunk.
//
//   0 ┬ key  u64
//   8 ├ size u32   bytes; 0 counts as 1
//  12 └ ttl  u32   seconds; ignored, since records have no times
import { implausibleSize } from "./foreign-file.js";
import { KeyNumbers } from "./key-numbers.js";
import { traceError } from "./trace-error.js";
import { TraceBuilder, traceRequestsMax } from "./trace.js";

const recordBytes = 16;

export class BinaryTrace {
  readonly builder = new TraceBuilder();
  readonly #path: string;
  readonly #keys = new KeyNumbers();
  /** Records of an implausible size. */
  #implausible = 0;
  #rest = new Uint8Array(0);

  constructor(path: string) {
    this.#path = path;
  }

  write(chunk: Uint8Array): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let offset = 0;
    for (; offset + recordBytes <= bytes.length; offset += recordBytes) {
      if (this.builder.count === traceRequestsMax) {
        throw traceError(this.#path, "", "a trace has at most 2^31 - 1 records");
      }
      const [low, high] = [view.getUint32(offset, true), view.getUint32(offset + 4, true)];
      const key = this.#keys.numberOf(low, high);
      const size = view.getUint32(offset + 8, true) || 1;
      if (size > implausibleSize) this.#implausible += 1;
      this.builder.add(key, size, 0, NaN);
    }
    this.#rest = bytes.slice(offset);
  }

  end(): void {
    if (this.#rest.length > 0) {
      const where = `byte ${this.builder.count * recordBytes}`;
      const why = `the last record has ${this.#rest.length} bytes; a record has ${recordBytes}`;
      throw traceError(this.#path, where, why);
    }
    if (this.#implausible > this.builder.count / 2) {
      const many = `${this.#implausible} of ${this.builder.count} records`;
      throw traceError(this.#path, "", `it is no trace: ${many} have a size above 1 GiB`);
    }
  }
}
