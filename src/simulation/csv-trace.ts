// CSV traces, one request a line: key, then optionally size, ttl, timestamp and load time. If the
// first line names columns, it sets their order. Called by the trace reader per chunk.
import { foreignLine } from "./foreign-file.js";
import { traceError } from "./trace-error.js";
import { TraceBuilder, traceRequestsMax } from "./trace.js";

const columnNames = ["key", "size", "ttl", "timestamp", "load"] as const;
type Column = (typeof columnNames)[number];
/** Other names that public traces give the columns. */
const synonyms: ReadonlyMap<string, Column> = new Map([
  ["id", "key"],
  ["obj_id", "key"],
  ["object", "key"],
  ["object_id", "key"],
  ["bytes", "size"],
  ["obj_size", "size"],
  ["object_size", "size"],
  ["time", "timestamp"],
  ["ts", "timestamp"],
  ["load_ms", "load"],
  ["load-time", "load"],
]);

export const sizeMax = 2 ** 32 - 1;

export class CsvTrace {
  readonly builder = new TraceBuilder();
  readonly #path: string;
  readonly #keys = new Map<string, number>();
  readonly #decoder = new TextDecoder();
  /** The position of each column in a line; -1 if absent. */
  #positions: Record<Column, number> = { key: 0, size: 1, ttl: 2, timestamp: 3, load: 4 };
  #line = 0;
  #rest = "";

  constructor(path: string) {
    this.#path = path;
  }

  write(chunk: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#read(line);
  }

  end(): void {
    const last = this.#rest + this.#decoder.decode();
    this.#rest = "";
    if (last !== "") this.#read(last);
  }

  #read(text: string): void {
    this.#line += 1;
    const line = text.trim();
    if (line.startsWith("#")) this.#noteSample(line);
    if (line === "" || line.startsWith("#")) return;
    const why = foreignLine(line);
    if (why !== undefined) this.#refuse(why);
    const cells = line.split(",");
    if (this.builder.count === 0 && this.#isHeader(cells)) return;
    const key = (cells[this.#positions.key] ?? "").trim();
    if (key === "") this.#refuse("it has no key");
    if (this.builder.count === traceRequestsMax) this.#refuse("a trace has at most 2^31 - 1 lines");
    let number = this.#keys.get(key);
    if (number === undefined) {
      number = this.#keys.size;
      this.#keys.set(key, number);
    }
    const size = this.#numberIn(cells, "size", 1);
    if (!Number.isInteger(size) || size < 1 || size > sizeMax) {
      this.#refuse(`size is ${size}; it must be a whole number of bytes from 1 to ${sizeMax}`);
    }
    const ttl = this.#numberIn(cells, "ttl", 0);
    if (ttl < 0) this.#refuse(`ttl is ${ttl}; it must be seconds, 0 = no expiry`);
    const load = this.#numberIn(cells, "load", 0);
    if (load < 0) this.#refuse(`load is ${load}; it must be milliseconds, 0 or more`);
    this.builder.add(number, size, ttl, this.#numberIn(cells, "timestamp", NaN), load);
  }

  /** What `undercroft record` says of its keys. */
  #noteSample(line: string): void {
    const sample = Number(/^# undercroft record, sample=([\d.e-]+)$/.exec(line)?.[1]);
    if (sample > 0 && sample <= 1) this.builder.sample = sample;
  }

  /** If the line names columns, sets their positions and returns true. */
  #isHeader(cells: readonly string[]): boolean {
    const names = cells.map((cell) => {
      const name = cell.trim().replaceAll('"', "").toLowerCase();
      return synonyms.get(name) ?? name;
    });
    if (!names.includes("key")) return false;
    if (!names.every((name) => /^[a-z_ -]+$/.test(name))) return false;
    this.#positions = {
      key: names.indexOf("key"),
      size: names.indexOf("size"),
      ttl: names.indexOf("ttl"),
      timestamp: names.indexOf("timestamp"),
      load: names.indexOf("load"),
    };
    return true;
  }

  #numberIn(cells: readonly string[], column: Column, absent: number): number {
    const text = (cells[this.#positions[column]] ?? "").trim();
    if (text === "") return absent;
    const value = Number(text);
    if (!Number.isFinite(value)) this.#refuse(`${column} is "${text}"; it must be a number`);
    return value;
  }

  #refuse(why: string): never {
    throw traceError(this.#path, `line ${this.#line}`, why);
  }
}
