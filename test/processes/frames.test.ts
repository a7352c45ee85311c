// What the bytes between two processes may be, and what becomes of those that are none.
import { describe, expect, test } from "vitest";
import {
  ByteReader,
  ByteWriter,
  ProtocolFault,
} from "../../dist/src/processes/wire/byte-stream.js";
import { frameOf, FrameReader, helloBytesMax } from "../../dist/src/processes/wire/frames.js";
import {
  type Change,
  decodeEntry,
  encodeEntry,
  listMax,
  readChanges,
  writeChanges,
} from "../../dist/src/processes/wire/wire-messages.js";
import { SpaceKeys } from "../../dist/src/processes/space-keys.js";

const bodies = [Buffer.alloc(0), Buffer.from("a"), Buffer.alloc(3000, 7)];
const stream = Buffer.concat(bodies.map((body, index) => frameOf(index + 1, index * 7, body)));

function read(chunks: readonly Buffer[]): { kind: number; ticket: number; body: string }[] {
  const reader = new FrameReader();
  const frames: { kind: number; ticket: number; body: string }[] = [];
  for (const chunk of chunks) {
    reader.push(chunk, ({ kind, ticket, body }) =>
      frames.push({ kind, ticket, body: body.toString("hex") }),
    );
  }
  return frames;
}

const expected = bodies.map((body, index) => ({
  kind: index + 1,
  ticket: index * 7,
  body: body.toString("hex"),
}));

describe("frames", () => {
  test.each([1, 2, 5, 11, 12, 13, 1000, stream.length])(
    "come whole out of chunks of %i",
    (size) => {
      const chunks: Buffer[] = [];
      for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size));
      expect(read(chunks)).toEqual(expected);
    },
  );

  test("with a wrong magic, kind or length are refused before their body has come", () => {
    const frame = frameOf(1, 0, Buffer.alloc(10));
    const broken = (at: number, value: number): Buffer => {
      const copy = Buffer.from(frame.subarray(0, 12));
      copy[at] = value;
      return copy;
    };
    const wrong = [broken(0, 0), broken(1, 0), broken(2, 200), broken(3, 1), broken(9, 255)];
    for (const bytes of wrong) expect(() => read([bytes])).toThrow(ProtocolFault);
    const reader = new FrameReader();
    const long = frameOf(1, 0, Buffer.alloc(helloBytesMax + 1));
    expect(() => reader.push(long, () => undefined)).toThrow(/at most 4096/);
    reader.bodyMax = helloBytesMax + 1;
  });

  test("after both have agreed may be longer", () => {
    const reader = new FrameReader();
    reader.bodyMax = 1 << 20;
    let bytes = 0;
    reader.push(frameOf(1, 0, Buffer.alloc(1 << 20)), ({ body }) => (bytes = body.length));
    expect(bytes).toBe(1 << 20);
  });
});

describe("fields", () => {
  test("come back as they were written", () => {
    const bytes = new ByteWriter()
      .u8(200)
      .u16(60_000)
      .u32(4e9)
      .f64(Infinity)
      .text("é")
      .bytes(Buffer.alloc(1000, 3))
      .end();
    const reader = new ByteReader(bytes);
    const numbers = [reader.u8(), reader.u16(), reader.u32(), reader.f64()];
    expect(numbers).toEqual([200, 60_000, 4e9, Infinity]);
    expect([reader.text(), reader.bytes().length]).toEqual(["é", 1000]);
    reader.end();
  });

  test("that are cut off, or too many, are faults", () => {
    const bytes = new ByteWriter().bytes(Buffer.from("abc")).end();
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(() => new ByteReader(bytes.subarray(0, cut)).bytes()).toThrow(ProtocolFault);
    }
    expect(() => new ByteReader(bytes).end()).toThrow(/too many/);
    const many = new ByteWriter().u32(listMax + 1).end();
    expect(() => readChanges(new ByteReader(many))).toThrow(/at most/);
    const unknown = new ByteWriter().u32(1).u8(9).end();
    expect(() => readChanges(new ByteReader(unknown))).toThrow(ProtocolFault);
  });

  test("of changes and entries", () => {
    const key = Buffer.from("key");
    const changes: Change[] = [
      { kind: "set", key, entry: Buffer.from("entry") },
      { kind: "delete", key },
      { kind: "void", name: "ttag" },
    ];
    const bytes = writeChanges(new ByteWriter(), changes).end();
    expect(readChanges(new ByteReader(bytes))).toEqual(changes);
    const value = new Uint8Array([1, 2, 3]);
    const entry = { value, createdAt: 1, expiresAt: 2, staleUntil: Infinity, tags: ["a", "b"] };
    const again = decodeEntry(encodeEntry(entry));
    expect({ ...again, value: new Uint8Array(again?.value ?? []) }).toEqual(entry);
    const other = encodeEntry(entry);
    other[0] = 99;
    expect(decodeEntry(other)).toBeUndefined();
  });
});

describe("composed keys", () => {
  const keysOf = (version: string): SpaceKeys =>
    new SpaceKeys((namespace) => (namespace === "unused" ? undefined : ["msgpack", version]));

  test("are taken apart by the same versions only", () => {
    const key = { namespace: "users", key: new Uint8Array([1, 2]) };
    const composed = keysOf("1").compose(key);
    expect(keysOf("1").apart(composed)).toEqual(key);
    expect(keysOf("2").apart(composed)).toBeUndefined();
    expect(keysOf("1").apart(composed.subarray(0, 8))).toBeUndefined();
    expect(keysOf("1").apart(Buffer.alloc(0))).toBeUndefined();
  });

  test("of a namespace that is not in use here are nobody's", () => {
    const isUsed = new SpaceKeys(() => ["msgpack", "1"]);
    const composed = isUsed.compose({ namespace: "unused", key: Buffer.from("k") });
    expect(isUsed.apart(composed)?.namespace).toBe("unused");
    expect(keysOf("1").apart(composed)).toBeUndefined();
  });
});
