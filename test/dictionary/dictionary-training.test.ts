// Learning symbols: what values have in common becomes symbols, what varies among them does not.

import { expect, test } from "vitest";
import {
  CompressionDictionary,
  DictionaryTraining,
  symbolsMax,
} from "../../dist/src/dictionary/mod.js";

function learn(sample: readonly Uint8Array[]): Uint8Array[] {
  const training = new DictionaryTraining(sample);
  while (!training.step());
  return training.symbols();
}

function shareOf(dictionary: CompressionDictionary, values: readonly Uint8Array[]): number {
  const total = (sum: number, bytes: number): number => sum + bytes;
  const before = values.map((value) => value.length).reduce(total, 0);
  return (
    values.map((value) => dictionary.shorten(value)?.length ?? value.length).reduce(total, 0) /
    before
  );
}

const states = ["administrator", "subscriber", "contributor", "maintainer"];

function recordOf(id: number): Buffer {
  const number = Math.imul(id, 0x9e3779b1) >>> 0;
  return Buffer.from(
    `{"name":"Profile of the registered user with number ${number}",` +
      `"state":"${states[number & 3]}",` +
      `"team":"team:${number % 1000}","region":"europe-${number % 7}"}`,
  );
}

const numbers = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => from + index);

test("values outside the sample shrink like those in it", () => {
  const symbols = learn(numbers(0, 150).map(recordOf));
  // What varies (digits, states beside other states) makes no symbols.
  expect(symbols.length).toBeLessThan(16);
  const dictionary = new CompressionDictionary(0, symbols);
  const [seen, unseen] = [numbers(0, 150), numbers(10_000, 1000)].map((ids) =>
    shareOf(dictionary, ids.map(recordOf)),
  );
  expect(seen).toBeLessThan(0.22);
  expect(unseen).toBeLessThan(0.22);
});

test("a counter within the text does not end up in the symbol", () => {
  const texts = numbers(1_000_000, 200).map((id) =>
    Buffer.from(`The session of customer ${id}; open`),
  );
  const dictionary = new CompressionDictionary(0, learn(texts));
  const later = numbers(7_300_000, 200).map((id) =>
    Buffer.from(`The session of customer ${id}; open`),
  );
  expect(shareOf(dictionary, later)).toBeLessThan(0.45);
});

test("random values have no symbols, and a dictionary keeps to its limit", () => {
  let state = 1;
  const noise = numbers(0, 100).map(() =>
    Uint8Array.from({ length: 200 }, () => (state = (state * 48_271) % 2_147_483_647) >>> 8),
  );
  expect(learn(noise)).toEqual([]);
  expect(learn([])).toEqual([]);
  // More common bytes than fit a dictionary.
  const words = numbers(0, 400).map((id) => `<${(id * 2_654_435_761).toString(36).repeat(2)}>`);
  const sample = numbers(0, 800).map((id) => Buffer.from(words[id % 400]?.repeat(2) ?? ""));
  for (const turn of [1, 4]) {
    const symbols = learn(Array.from({ length: turn }, () => sample).flat());
    expect(symbols.length).toBeLessThanOrEqual(symbolsMax);
    const bytes = symbols.reduce((sum, symbol) => sum + symbol.length + 2, 0);
    expect(bytes).toBeLessThanOrEqual(2000);
    for (const symbol of symbols) expect(symbol.length).toBeGreaterThanOrEqual(4);
  }
});
