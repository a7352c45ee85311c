// Books of phrases: what is shortened comes back byte for byte, and no bytes lead out of the book or the buffer.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodePhrases,
  encodePhrases,
  encodeShape,
  decodeShape,
  PhraseBook,
  phrasesMax,
} from "../../dist/src/shapes/mod.js";
import { expanded } from "../../dist/src/shapes/phrase-book.js";

function expand(book: PhraseBook, stored: Uint8Array): Buffer {
  return Buffer.from(expanded.subarray(0, book.expand(stored, 0, stored.length)));
}

function shorten(book: PhraseBook, value: Uint8Array): Buffer | undefined {
  const short = book.shorten(value);
  return short === undefined ? undefined : Buffer.from(short);
}

const bookOf = (...phrases: string[]): PhraseBook =>
  new PhraseBook(
    3,
    phrases.map((phrase) => Buffer.from(phrase)),
  );

const phrase = fc.uint8Array({ minLength: 4, maxLength: 64, size: "max" });

/** Values glued together from phrases, parts of them, and other bytes. */
const bookAndValue = fc
  .array(phrase, { minLength: 1, maxLength: 12 })
  .chain((phrases) =>
    fc.tuple(
      fc.constant(phrases),
      fc.array(
        fc.oneof(
          fc.constantFrom(...phrases),
          fc
            .tuple(fc.constantFrom(...phrases), fc.nat(64), fc.nat(64))
            .map(([whole, from, to]) => whole.subarray(from, to)),
          fc.uint8Array({ maxLength: 100 }),
        ),
        { maxLength: 30 },
      ),
    ),
  )
  .map(([phrases, pieces]) => ({ phrases, value: Buffer.concat(pieces) }));

test("any value comes back byte for byte, and is shorter or stands as it was", () => {
  let shortened = 0;
  fc.assert(
    fc.property(bookAndValue, ({ phrases, value }) => {
      const book = new PhraseBook(7, phrases);
      const short = shorten(book, value);
      if (short === undefined) return;
      shortened += 1;
      expect(short[0]).toBe(7);
      expect(short.length).toBeLessThanOrEqual((value.length * 7) / 8);
      expect(expand(book, short).equals(value)).toBe(true);
    }),
    { numRuns: 1000 },
  );
  expect(shortened).toBeGreaterThan(300);
});

test("a value that leaves a phrase at any of its bytes comes back byte for byte", () => {
  const whole = Uint8Array.from({ length: 64 }, (_, index) => (index * 37) % 251);
  const book = new PhraseBook(0, [Buffer.from("behind"), whole, Buffer.from("before")]);
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
      const short = shorten(book, value) as Buffer;
      expect(expand(book, short).equals(value)).toBe(true);
      shortened += value.length - short.length;
    }
  }
  expect(shortened).toBeGreaterThan(65 * 3 * 64);
});

test("a phrase takes one byte, a part of one four, and the longest that serves is taken", () => {
  const book = bookOf("Profile of the user", "Profile of the user with number 100", "user");
  const runs = "-and-";
  expect(shorten(book, Buffer.from("Profile of the user with number 100"))).toHaveLength(2);
  expect(shorten(book, Buffer.from("Profile of the user with number 123"))).toHaveLength(
    1 + 1 + 4 + 3,
  );
  expect(shorten(book, Buffer.from("of the user with number"))).toHaveLength(1 + 4);
  expect(shorten(book, Buffer.from(`Profile of the user${runs}user`))).toHaveLength(1 + 1 + 6 + 1);
  const text = Buffer.from("Profile of the user with number 123, user 7");
  expect(expand(book, shorten(book, text) as Buffer).equals(text)).toBe(true);
});

test("what is short, long or not worth it stands as it was", () => {
  const book = bookOf("common part");
  expect(shorten(book, Buffer.from("common"))).toBeUndefined();
  expect(shorten(book, Buffer.from("nothing of the kind"))).toBeUndefined();
  expect(shorten(book, Buffer.from(`common part${"x".repeat(200)}`))).toBeUndefined();
  // Seen early: the probe is over before the common parts begin.
  expect(shorten(book, Buffer.from("x".repeat(1100) + "common part".repeat(20)))).toBeUndefined();
  const long = Buffer.from("common part".repeat(16_384 / 11));
  expect(expand(book, shorten(book, long) as Buffer).equals(long)).toBe(true);
  expect(shorten(book, Buffer.from("common part".repeat(2000)))).toBeUndefined();
});

test("bytes that no book made are refused or read within their bounds", () => {
  const books = [bookOf("first", "second phrase"), bookOf(...manyPhrases())];
  const outcomes: (number | string)[] = [];
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(1), (bytes, which) => {
      try {
        outcomes.push((books[which] as PhraseBook).expand(bytes, 0, bytes.length));
      } catch (error) {
        outcomes.push(String(error));
      }
    }),
    { numRuns: 1000 },
  );
  const refused = outcomes.filter((outcome) => typeof outcome === "string");
  for (const outcome of refused) expect(outcome).toMatch(/not of this book/);
  for (const outcome of outcomes) {
    expect(typeof outcome === "string" || outcome <= expanded.length).toBe(true);
  }
  expect(refused.length).toBeGreaterThan(100);
  // It would expand to more than any value that was shortened.
  const endless = Buffer.alloc(2000, 64);
  expect(() => bookOf("x".repeat(64)).expand(endless, 0, endless.length)).toThrow(/not of this/);
});

function manyPhrases(): string[] {
  return Array.from({ length: phrasesMax }, (_, number) => `phrase ${number}`);
}

test("the entry of a book is read as it was written, by its own id only, and never as a shape", () => {
  fc.assert(
    fc.property(fc.array(phrase, { maxLength: 20 }), fc.nat(255), (phrases, id) => {
      const entry = encodePhrases(id, phrases);
      expect(decodePhrases(entry, id)).toEqual(phrases.map((bytes) => Uint8Array.from(bytes)));
      expect(decodePhrases(entry, (id + 1) % 256)).toBeNull();
      expect(decodePhrases(entry.subarray(0, -1), id)).toBeNull();
      expect(decodeShape(entry, id)).toBeNull();
    }),
  );
  expect(decodePhrases(encodeShape(4, ["id", "name"]) as Buffer, 4)).toBeNull();
  // Of no phrase that a book takes.
  const short = encodePhrases(1, [Buffer.from("good")]);
  short.writeUInt16LE(3, 4);
  expect(decodePhrases(short.subarray(0, -1), 1)).toBeNull();
});
