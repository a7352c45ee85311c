// Tells files that are no traces by how they begin, what a line of text or a record may be. Called
// by the trace readers, which would else take such a file's lines for keys and its bytes for
// records.

/** First bytes of well-known files, in Latin-1, and where they are. */
const signatures: readonly (readonly [what: string, bytes: string, offset?: number])[] = [
  ["it is gzip data; let its name end in .gz", "\x1f\x8b"],
  ["it is UTF-16 text; a trace is UTF-8", "\xff\xfe"],
  ["it is UTF-16 text; a trace is UTF-8", "\xfe\xff"],
  ["it is zstd data; unpack it first", "\x28\xb5\x2f\xfd"],
  ["it is bzip2 data; unpack it first", "BZh"],
  ["it is xz data; unpack it first", "\xfd7zXZ"],
  ["it is a zip archive; unpack it first", "PK\x03\x04"],
  ["it is a tar archive; unpack it first", "ustar", 257],
  ["it is a program", "\x7fELF"],
  ["it is a program", "MZ\x90"],
  ["it is a program", "\xcf\xfa\xed\xfe"],
  ["it is WebAssembly", "\x00asm"],
  ["it is an SQLite database", "SQLite format 3\0"],
  ["it is an image", "\x89PNG"],
  ["it is an image", "\xff\xd8\xff"],
  ["it is an image", "GIF8"],
  ["it is a PDF document", "%PDF"],
];

/** Why a file that begins with these bytes is no trace; undefined if nothing says so. */
export function foreignBytes(start: Uint8Array): string | undefined {
  const found = signatures.find(([, bytes, offset = 0]) => {
    const here = start.subarray(offset, offset + bytes.length);
    return Buffer.from(here).toString("latin1") === bytes;
  });
  return found?.[0];
}

const requestForm = "a line of a trace is key,size,ttl,timestamp";
// What JSON on lines of its own looks like: brackets alone, a member, or the whole of it.
const jsonLine = /^(?:[[\]{}]+,?|"(?:[^"\\]|\\.)*"\s*:.*|\{\s*".*|\[\s*[["{].*|\[.*\])$/;
const markupLine = /^<[!?/a-z][^,]*>/i;
// oxlint-disable-next-line no-control-regex
const noText = /[\0-\x08\x0e-\x1f\ufffd]/;

/** Why a line of text is no request; undefined if nothing says so. */
export function foreignLine(line: string): string | undefined {
  if (noText.test(line)) return `it is not UTF-8 text; ${requestForm}`;
  if (jsonLine.test(line)) return `it is JSON; ${requestForm}`;
  if (markupLine.test(line)) return `it is markup; ${requestForm}`;
  return undefined;
}

/** Larger than objects are: of records that are any bytes, three in four claim to be. */
export const implausibleSize = 2 ** 30;
