// Examines a value that is not plain data. Finds what cannot be stored and names where it is, and
// lists the repairs for what V8 leaves out. Called by the codec before V8 serializes. Invariant: a
// value that passes comes back exactly, once its repairs are applied, except for what the docs say
// is not part of a value: named properties of views and buffers, getters, non-enumerable
// properties, and whether objects are frozen.

import { types } from "node:util";

import { describe } from "../base/mod.js";
import {
  type Repair,
  repairAggregate,
  repairLastIndex,
  repairNullPrototype,
  repairProperties,
} from "./repair.js";
import { builtInName, isBuiltInPrototype, isDetached } from "./built-in.js";
import { hidesState } from "./hidden-state.js";

/**
 * Values nested deeper are refused. Reading about 1,500 nested objects makes V8 overflow the main
 * thread's stack.
 */
export const depthMax = 500;

/** A walk over one value. */
export class Survey {
  readonly repairs: Repair[] = [];
  readonly #key: string | Uint8Array;
  readonly #classInstances: "throw" | "plain";
  readonly #seen = new Set<object>();
  /**
   * The path from the value to the current object: ".user", "[3]", ... Joined for messages only.
   */
  readonly #path: string[] = [];

  /** `key` is for messages. */
  constructor(key: string | Uint8Array, classInstances: "throw" | "plain") {
    this.#key = key;
    this.#classInstances = classInstances;
  }

  /**
   * Throws a TypeError if `value` or anything in it cannot be stored, and a RangeError if it is
   * nested too deeply.
   */
  visit(value: unknown): void {
    if (typeof value === "function" || typeof value === "symbol") throw this.#refused(value);
    if (typeof value !== "object" || value === null || this.#seen.has(value)) return;
    if (this.#path.length > depthMax) {
      throw new RangeError(
        `Cannot store value of key ${describe(this.#key)}: it is nested more than ` +
          `${depthMax} levels deep; store a flatter value`,
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
    } else if (!isBuiltInPrototype(prototype, name)) {
      const isHidden = hidesState(value, name, (one) => isBuiltInPrototype(one, name));
      if (isHidden || this.#classInstances === "throw") throw this.#refused(value, isHidden);
    }
    if ((ArrayBuffer.isView(value) || types.isArrayBuffer(value)) && isDetached(value)) {
      throw this.#refused(value);
    }
    // A view is its bytes. Its items need no visit, and properties that libraries add to it are not
    // part of the value.
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

  /** V8 keeps an error's built-in class, stack, message and cause. */
  #visitError(value: Error): void {
    if (Object.hasOwn(value, "cause")) this.#step(".cause", value.cause);
    if (isAggregateError(value)) {
      this.#step(".errors", value.errors);
      this.repairs.push([repairAggregate, value, value.errors]);
    }
  }

  /** Lists the named properties of a built-in, which V8 leaves out. */
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
        `Cannot store value of key ${describe(this.#key)}: ${this.#where()} has the key ` +
          `${describe(symbol)}; keys of objects must be strings`,
      );
    }
  }

  /** `isHidden`: its state is not in its properties, so `classInstances` is no remedy. */
  #refused(value: object | symbol, isHidden = true): TypeError {
    const [what, wanted] = refusalOf(value, isHidden);
    return new TypeError(
      `Cannot store value of key ${describe(this.#key)}: ${this.#where()} is ${what}; ${wanted}`,
    );
  }

  #where(): string {
    return `value${this.#path.join("")}`;
  }
}

/** What is refused, and what to do instead. */
function refusalOf(value: object | symbol, isHidden: boolean): [what: string, wanted: string] {
  const plain = "store plain data, or open the cache with a codec of your own";
  if (typeof value === "symbol") return ["a symbol", plain];
  if (types.isProxy(value)) return ["a proxy", plain];
  if (types.isArgumentsObject(value)) {
    return ["an arguments object", "store an array made from it: [...arguments]"];
  }
  const what = describe(value);
  if ((ArrayBuffer.isView(value) || types.isArrayBuffer(value)) && isDetached(value)) {
    return [`${what} that was transferred away`, "store the bytes before, or a copy of them"];
  }
  if (typeof value === "function") return [what, plain];
  if (!isHidden) {
    return [
      what,
      'store plain data, or open the cache with classInstances: "plain" or a codec of your own',
    ];
  }
  return [`${what}, whose state is not in its properties`, plain];
}

/** Whether an error, of any realm, has a list of errors as AggregateError has. */
function isAggregateError(value: Error): value is AggregateError {
  const errors = Object.getOwnPropertyDescriptor(value, "errors");
  if (errors === undefined || errors.enumerable === true) return false;
  if (value instanceof AggregateError) return true;
  for (let one = Object.getPrototypeOf(value) as object | null; one !== null;) {
    const maker: unknown = Object.getOwnPropertyDescriptor(one, "constructor")?.value;
    if (typeof maker === "function" && maker.name === "AggregateError") return true;
    one = Object.getPrototypeOf(one) as object | null;
  }
  return false;
}

const identifierPattern = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

function propertyStep(name: string): string {
  return identifierPattern.test(name) ? `.${name}` : `[${describe(name)}]`;
}
