// Compression dictionaries: what is shortened comes back byte for byte, and no bytes read outside
// the dictionary or the buffer.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeDictionary,
  encodeDictionary,
  encodeSchema,
  decodeSchema,
  CompressionDictionary,
  symbolsMax,
} from "../../dist/src/dictionary/mod.js";
import { expanded } from "../../dist/src/dictionary/compression-dictionary.js";

function expand(dictionary: CompressionDictionary, stored: Uint8Array): Buffer {
  return Buffer.from(expanded.subarray(0, dictionary.expand(stored, 0, stored.length)));
}

function shorten(dictionary: CompressionDictionary, value: Uint8Array): Buffer | undefined {
  const short = dictionary.shorten(value);
  return short === undefined ? undefined : Buffer.from(short);
}

const dictionaryOf = (...symbols: string[]): CompressionDictionary =>
  new CompressionDictionary(
    3,
    symbols.map((symbol) => Buffer.from(symbol)),
  );

const symbol = fc.uint8Array({ minLength: 4, maxLength: 64, size: "max" });

/** Values made of symbols, parts of them, and other bytes. */
const dictionaryAndValue = fc
  .array(symbol, { minLength: 1, maxLength: 12 })
  .chain((symbols) =>
    fc.tuple(
      fc.constant(symbols),
      fc.array(
        fc.oneof(
          fc.constantFrom(...symbols),
          fc
            .tuple(fc.constantFrom(...symbols), fc.nat(64), fc.nat(64))
            .map(([whole, from, to]) => whole.subarray(from, to)),
          fc.uint8Array({ maxLength: 100 }),
        ),
        { maxLength: 30 },
      ),
    ),
  )
  .map(([symbols, pieces]) => ({ symbols, value: Buffer.concat(pieces) }));

test("any value comes back byte for byte, and is shorter or unchanged", () => {
  let shortened = 0;
  fc.assert(
    fc.property(dictionaryAndValue, ({ symbols, value }) => {
      const dictionary = new CompressionDictionary(7, symbols);
      const short = shorten(dictionary, value);
      if (short === undefined) return;
      shortened += 1;
      expect(short[0]).toBe(7);
      expect(short.length).toBeLessThanOrEqual((value.length * 7) / 8);
      expect(expand(dictionary, short).equals(value)).toBe(true);
    }),
    { numRuns: 1000 },
  );
  expect(shortened).toBeGreaterThan(300);
});

test("a value that leaves a symbol at any of its bytes comes back byte for byte", () => {
  const whole = Uint8Array.from({ length: 64 }, (_, index) => (index * 37) % 251);
  const dictionary = new CompressionDictionary(0, [
    Buffer.from("behind"),
    whole,
    Buffer.from("before"),
  ]);
  let shortened = 0;
  for (let cut = 0; cut <= 64; cut++) {
    for (const kept of [64, cut, cut + 1]) {
      const value = Buffer.concat([
        whole,
        whole.subarray(0, cut),
        Buffer.from([255]),
        whole.subarray(Math.min(cut, kept)),
        Buffer.from("behind"),
      ]);
      const short = shorten(dictionary, value) as Buffer;
      expect(expand(dictionary, short).equals(value)).toBe(true);
      shortened += value.length - short.length;
    }
  }
  expect(shortened).toBeGreaterThan(65 * 3 * 64);
});

test("a symbol takes one byte, a part of one four, and the longest that fits is used", () => {
  const dictionary = dictionaryOf(
    "Profile of the user",
    "Profile of the user with number 100",
    "user",
  );
  const runs = "-and-";
  expect(shorten(dictionary, Buffer.from("Profile of the user with number 100"))).toHaveLength(2);
  expect(shorten(dictionary, Buffer.from("Profile of the user with number 123"))).toHaveLength(
    1 + 1 + 4 + 3,
  );
  expect(shorten(dictionary, Buffer.from("of the user with number"))).toHaveLength(1 + 4);
  expect(shorten(dictionary, Buffer.from(`Profile of the user${runs}user`))).toHaveLength(
    1 + 1 + 6 + 1,
  );
  const text = Buffer.from("Profile of the user with number 123, user 7");
  expect(expand(dictionary, shorten(dictionary, text) as Buffer).equals(text)).toBe(true);
});

test("values that are short, long or not worth it are unchanged", () => {
  const dictionary = dictionaryOf("common part");
  expect(shorten(dictionary, Buffer.from("common"))).toBeUndefined();
  expect(shorten(dictionary, Buffer.from("nothing of the kind"))).toBeUndefined();
  expect(shorten(dictionary, Buffer.from(`common part${"x".repeat(200)}`))).toBeUndefined();
  // Detected early: the probe ends before the common parts begin.
  expect(
    shorten(dictionary, Buffer.from("x".repeat(1100) + "common part".repeat(20))),
  ).toBeUndefined();
  const long = Buffer.from("common part".repeat(16_384 / 11));
  expect(expand(dictionary, shorten(dictionary, long) as Buffer).equals(long)).toBe(true);
  expect(shorten(dictionary, Buffer.from("common part".repeat(2000)))).toBeUndefined();
});

test("bytes that no dictionary made are refused or read within bounds", () => {
  const dictionaries = [dictionaryOf("first", "second symbol"), dictionaryOf(...manySymbols())];
  const outcomes: (number | string)[] = [];
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(1), (bytes, which) => {
      try {
        outcomes.push(
          (dictionaries[which] as CompressionDictionary).expand(bytes, 0, bytes.length),
        );
      } catch (error) {
        outcomes.push(String(error));
      }
    }),
    { numRuns: 1000 },
  );
  const refused = outcomes.filter((outcome) => typeof outcome === "string");
  for (const outcome of refused) expect(outcome).toMatch(/this dictionary did not make/);
  for (const outcome of outcomes) {
    expect(typeof outcome === "string" || outcome <= expanded.length).toBe(true);
  }
  expect(refused.length).toBeGreaterThan(100);
  // It would expand to more than any value that was shortened.
  const endless = Buffer.alloc(2000, 64);
  expect(() => dictionaryOf("x".repeat(64)).expand(endless, 0, endless.length)).toThrow(
    /this dictionary did not make/,
  );
});

function manySymbols(): string[] {
  return Array.from({ length: symbolsMax }, (_, number) => `symbol ${number}`);
}

test("a dictionary is read as it was written, only by its own id, never as a schema", () => {
  fc.assert(
    fc.property(fc.array(symbol, { maxLength: 20 }), fc.nat(255), (symbols, id) => {
      const entry = encodeDictionary(id, symbols);
      expect(decodeDictionary(entry, id)).toEqual(symbols.map((bytes) => Uint8Array.from(bytes)));
      expect(decodeDictionary(entry, (id + 1) % 256)).toBeNull();
      expect(decodeDictionary(entry.subarray(0, -1), id)).toBeNull();
      expect(decodeSchema(entry, id)).toBeNull();
    }),
  );
  expect(decodeDictionary(encodeSchema(4, ["id", "name"]) as Buffer, 4)).toBeNull();
  // Of no symbol that a dictionary accepts.
  const short = encodeDictionary(1, [Buffer.from("good")]);
  short.writeUInt16LE(3, 4);
  expect(decodeDictionary(short.subarray(0, -1), 1)).toBeNull();
});
