// Reads a trace file, CSV or binary, plain or gzip, one chunk at a time. Called by the command line
// and by benchmarks.
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { createGunzip } from "node:zlib";

import { BinaryTrace } from "./binary-trace.js";
import { CsvTrace } from "./csv-trace.js";
import { foreignBytes } from "./foreign-file.js";
import { traceError } from "./trace-error.js";
import type { Trace } from "./trace.js";

/** Leading bytes that decide whether a file is text. */
const sniffBytes = 4096;

/** Reads `path`: CSV if its name or its first bytes say so, else 16-byte records. Unpacks a file
 *  whose name ends in ".gz". Throws `ERR_TRACE`, with the position, if the file is unreadable or
 *  malformed. */
export async function readTrace(path: string): Promise<Trace> {
  let reader: CsvTrace | BinaryTrace | undefined;
  try {
    for await (const chunk of bytesOf(path)) {
      reader ??= readerFor(path, chunk);
      reader.write(chunk);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ERR_TRACE") throw error;
    if (code === "EISDIR") throw traceError(path, "", "it is a directory; name the file in it");
    throw traceError(path, "", error instanceof Error ? error.message : String(error));
  }
  reader?.end();
  if (reader === undefined || reader.builder.count === 0) {
    throw traceError(path, "", "it has no requests");
  }
  return reader.builder.build(traceName(path));
}

/** A file's name without its extensions: "web.csv.gz" is "web". */
export function traceName(path: string): string {
  return basename(path)
    .replace(/\.gz$/i, "")
    .replace(/\.(?:csv|txt|bin|trace)$/i, "");
}

function readerFor(path: string, start: Uint8Array): CsvTrace | BinaryTrace {
  const why = foreignBytes(start);
  if (why !== undefined) throw traceError(path, "", why);
  return isText(path, start) ? new CsvTrace(path) : new BinaryTrace(path);
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  if (!path.toLowerCase().endsWith(".gz")) {
    yield* file as AsyncIterable<Uint8Array>;
    return;
  }
  const unpacked = createGunzip({ chunkSize: 1 << 18 });
  file.on("error", (error) => unpacked.destroy(error));
  try {
    yield* file.pipe(unpacked) as AsyncIterable<Uint8Array>;
  } finally {
    file.destroy();
  }
}

function isText(path: string, start: Uint8Array): boolean {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  if (/\.(?:csv|txt)$/.test(name)) return true;
  if (name.endsWith(".bin")) return false;
  return !start.subarray(0, sniffBytes).some((byte) => byte < 9 || (byte > 13 && byte < 32));
}
