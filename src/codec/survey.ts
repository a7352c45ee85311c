// The slow look at a value that is not plain data: finds what cannot be stored, and names where it is; notes what V8
// would leave out, so that it is put back after reading. Called by the codec before V8 serializes. Invariant: a value
// that passes comes back exactly, with its repairs, but for what docs say is not part of a value (named properties of
// views and buffers, getters, non-enumerable properties, frozenness).

import { types } from "node:util";

import { describe } from "../base/mod.js";
import {
  type Repair,
  repairAggregate,
  repairLastIndex,
  repairNullPrototype,
  repairProperties,
} from "./repair.js";
import { builtInName, isBuiltInPrototype } from "./built-in.js";

/** What is nested deeper is refused: V8 overflows the main thread's stack when reading about 1,500 nested objects. */
export const depthMax = 500;

/** A walk over one value. */
export class Survey {
  readonly repairs: Repair[] = [];
  readonly #key: string | Uint8Array;
  readonly #classInstances: "throw" | "plain";
  readonly #seen = new Set<object>();
  /** How to get from the value to where the walk is: ".user", "[3]", ... Joined for a message only. */
  readonly #path: string[] = [];

  /** `key` is for messages. */
  constructor(key: string | Uint8Array, classInstances: "throw" | "plain") {
    this.#key = key;
    this.#classInstances = classInstances;
  }

  /** Throws a TypeError if `value` or anything in it cannot be stored, a RangeError if it is nested too deeply. */
  visit(value: unknown): void {
    if (typeof value === "function" || typeof value === "symbol") throw this.#refused(value);
    if (typeof value !== "object" || value === null || this.#seen.has(value)) return;
    if (this.#path.length > depthMax) {
      throw new RangeError(
        `Cannot store value of key ${describe(this.#key)}: it is nested more than ${depthMax} levels deep; store a flatter value`,
      );
    }
    this.#seen.add(value);
    this.#visitObject(value);
  }

  #visitObject(value: object): void {
    const name = builtInName(value);
    if (name === undefined) throw this.#refused(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === null && name === "Object") {
      this.repairs.push([repairNullPrototype, value]);
    } else if (!isBuiltInPrototype(prototype, name) && this.#classInstances === "throw") {
      throw this.#refused(value);
    }
    // A view is its bytes: its items need no visit, and what is hung on it (as libraries do) is not the value.
    if (ArrayBuffer.isView(value)) return;
    this.#refuseSymbolKeys(value);
    if (Array.isArray(value) || name === "Object") {
      this.#visitProperties(value);
      return;
    }
    if (types.isMap(value)) this.#visitMap(value);
    else if (types.isSet(value)) this.#visitSet(value);
    else if (types.isRegExp(value) && value.lastIndex !== 0) {
      this.repairs.push([repairLastIndex, value, value.lastIndex]);
    } else if (types.isNativeError(value)) this.#visitError(value);
    if (name !== "String") this.#noteProperties(value);
  }

  #visitProperties(value: object): void {
    const isArray = Array.isArray(value);
    for (const name of Object.keys(value)) {
      const item: unknown = Reflect.get(value, name);
      if (typeof item === "object" || typeof item === "function" || typeof item === "symbol") {
        this.#step(isArray && /^\d+$/.test(name) ? `[${name}]` : propertyStep(name), item);
      }
    }
  }

  #visitMap(value: ReadonlyMap<unknown, unknown>): void {
    let index = 0;
    for (const [key, item] of value) {
      this.#step(`.keys()[${index}]`, key);
      this.#step(`.get(${describe(key)})`, item);
      index++;
    }
  }

  #visitSet(value: ReadonlySet<unknown>): void {
    let index = 0;
    for (const item of value) this.#step(`.values()[${index++}]`, item);
  }

  /** V8 keeps an error's class if it is built in, its stack, message and cause. */
  #visitError(value: Error): void {
    if (Object.hasOwn(value, "cause")) this.#step(".cause", value.cause);
    if (value instanceof AggregateError && Object.hasOwn(value, "errors")) {
      this.#step(".errors", value.errors);
      this.repairs.push([repairAggregate, value, value.errors]);
    }
  }

  /** Named properties of a built-in, which V8 leaves out. */
  #noteProperties(value: object): void {
    const properties: unknown[] = [];
    for (const name of Object.keys(value)) {
      const item: unknown = Reflect.get(value, name);
      this.#step(propertyStep(name), item);
      properties.push(name, item);
    }
    if (properties.length > 0) this.repairs.push([repairProperties, value, properties]);
  }

  #step(step: string, value: unknown): void {
    this.#path.push(step);
    this.visit(value);
    this.#path.pop();
  }

  #refuseSymbolKeys(value: object): void {
    for (const symbol of Object.getOwnPropertySymbols(value)) {
      if (!Object.prototype.propertyIsEnumerable.call(value, symbol)) continue;
      throw new TypeError(
        `Cannot store value of key ${describe(this.#key)}: ${this.#where()} has the key ${describe(symbol)}; keys of objects must be strings`,
      );
    }
  }

  #refused(value: object | symbol): TypeError {
    const what = describeRefused(value);
    const wanted =
      typeof value === "object" && !unstorable(value)
        ? 'store plain data, or open the cache with classInstances: "plain" or a codec of your own'
        : "store plain data, or open the cache with a codec of your own";
    return new TypeError(
      `Cannot store value of key ${describe(this.#key)}: ${this.#where()} is ${what}; ${wanted}`,
    );
  }

  #where(): string {
    return `value${this.#path.join("")}`;
  }
}

function describeRefused(value: object | symbol): string {
  if (typeof value === "symbol") return "a symbol";
  return types.isProxy(value) ? "a proxy" : describe(value);
}

function unstorable(value: object): boolean {
  return builtInName(value) === undefined;
}

const identifierPattern = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

function propertyStep(name: string): string {
  return identifierPattern.test(name) ? `.${name}` : `[${describe(name)}]`;
}
