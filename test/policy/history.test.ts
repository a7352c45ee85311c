// The history of keys: frequencies that age, sets that drop the key seen longest ago.

import { expect, test } from "vitest";

import { cellAge, cellFrequency, History, historyCells } from "../../dist/src/policy/history.js";

const hash = 0x1230_0000;

test("historyCells are whole sets, at least eight of them", () => {
  expect([0, 1, 64, 65, 1000].map(historyCells)).toEqual([64, 64, 64, 72, 1000]);
});

test("a table of any number of sets takes every hash", () => {
  const history = new History(new Uint32Array(72));
  for (const any of [0, 1, 0xffff, 2 ** 31, 2 ** 32 - 1]) {
    history.note(any, 2, 5);
    expect(cellFrequency(history.find(any), 5, 100)).toBe(2);
  }
});

test("a key that was never noted is not found; a noted one is, with its age", () => {
  const history = new History(new Uint32Array(64));
  expect(history.find(hash)).toBe(0);
  history.note(hash, 3, 100);
  expect(cellAge(history.find(hash), 130)).toBe(30);
  expect(cellFrequency(history.find(hash), 130, 1000)).toBe(3);
});

test("a frequency is kept between 1 and 15", () => {
  const history = new History(new Uint32Array(64));
  history.note(hash, 40, 0);
  expect(cellFrequency(history.find(hash), 0, 100)).toBe(15);
  history.note(hash, 0, 0);
  expect(cellFrequency(history.find(hash), 0, 100)).toBe(1);
});

test("a frequency is halved at each multiple of the half-life that passes", () => {
  const history = new History(new Uint32Array(64));
  history.note(hash, 12, 150);
  const cell = history.find(hash);
  expect([199, 200, 299, 300, 400, 500].map((time) => cellFrequency(cell, time, 100))).toEqual([
    12, 6, 6, 3, 1, 0,
  ]);
});

test("times wrap at 4,096", () => {
  const history = new History(new Uint32Array(64));
  history.note(hash, 8, 4_000);
  expect(cellAge(history.find(hash), 4_100)).toBe(100);
  expect(cellFrequency(history.find(hash), 4_100, 10_000)).toBe(8);
});

test("a full set drops the key seen longest ago", () => {
  const history = new History(new Uint32Array(64));
  const keyOf = (number: number): number => number + 1;
  for (let number = 0; number < 8; number++) history.note(keyOf(number), 1, 100 + number);
  history.note(keyOf(0), 1, 200);
  history.note(keyOf(8), 1, 201);
  expect(history.find(keyOf(1))).toBe(0);
  for (const kept of [0, 2, 3, 4, 5, 6, 7, 8]) expect(history.find(keyOf(kept))).not.toBe(0);
});
