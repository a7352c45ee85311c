// The shared words of a process that shares a directory: until when its threads may answer from
// their memory, and its numbers. Written by the opener only; this file owns the layout.
//
//    0 ┬ open     i32  1 while the process is a member of an owner
//    4 ├ role     i32  index of roles
//    8 ├ until    f64  monotonic ms; with `open` it bounds what is answered
//   16 ┴ numbers  f64 each
//
// A reader takes its value first and looks here then: what it answers was current at some moment
// before the lease had ended. A word of eight bytes that is read while it is written is the old or
// the new one.
import { monotonicMs } from "../base/mod.js";
import { processCounters, type ProcessTotals } from "../stats/mod.js";

const openWord = 0;
const roleWord = 1;
const untilAt = 8;
const numbersAt = 16;

export const roles = ["none", "owner", "guest"] as const;
export type Role = (typeof roles)[number];

const numberNames = [
  "guests",
  ...processCounters,
] as const satisfies readonly (keyof ProcessTotals)[];
type NumberName = (typeof numberNames)[number];

export class LeaseWords {
  readonly buffer: SharedArrayBuffer;
  readonly #ints: Int32Array;
  readonly #until: Float64Array;
  readonly #numbers: Float64Array;

  constructor(
    buffer: SharedArrayBuffer = new SharedArrayBuffer(numbersAt + numberNames.length * 8),
  ) {
    this.buffer = buffer;
    this.#ints = new Int32Array(buffer, 0, 2);
    this.#until = new Float64Array(buffer, untilAt, 1);
    this.#numbers = new Float64Array(buffer, numbersAt, numberNames.length);
  }

  /** Whether what was just read from memory may be answered. */
  isHeld(): boolean {
    return Atomics.load(this.#ints, openWord) === 1 && monotonicMs() < (this.#until[0] as number);
  }

  /** The time is written before the word that opens. */
  extend(until: number): void {
    this.#until[0] = until;
    Atomics.store(this.#ints, openWord, 1);
  }

  end(): void {
    Atomics.store(this.#ints, openWord, 0);
    this.#until[0] = 0;
  }

  get role(): Role {
    return roles[Atomics.load(this.#ints, roleWord)] ?? "none";
  }

  set role(role: Role) {
    Atomics.store(this.#ints, roleWord, roles.indexOf(role));
  }

  add(name: NumberName, amount: number): void {
    const at = numberNames.indexOf(name);
    this.#numbers[at] = (this.#numbers[at] as number) + amount;
  }

  set(name: NumberName, value: number): void {
    this.#numbers[numberNames.indexOf(name)] = value;
  }

  totals(): ProcessTotals {
    const entries = numberNames.map((name, index) => [name, this.#numbers[index]]);
    const numbers = Object.fromEntries(entries) as Omit<ProcessTotals, "role">;
    return { role: this.role, ...numbers };
  }
}
