// Freezes decoded values for the near cache's mode "frozen". Called for each value it decodes.

import { types } from "node:util";

/**
 * Freezes the plain objects and arrays of `value`, however deep, and answers whether that is all
 * of it: then nobody can change the value. It is not if the value holds anything else that is an
 * object: bytes, a Map, Set, Date, RegExp or Error, or an instance of a class, which a custom codec
 * may bring. Those stay as they are, since freezing one does not stop its own methods. Runs no
 * getter and handles cycles.
 */
export function deepFreeze(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return typeof value !== "function";
  const seen = new Set<object>([value]);
  let isWhole = true;
  // Iterating a Set also visits what is added meanwhile, so this needs no recursion and no queue.
  for (const object of seen) if (!freezeOne(object, seen)) isWhole = false;
  return isWhole;
}

/** Freezes one object or what it holds; false if it can still be changed. */
function freezeOne(object: object, seen: Set<object>): boolean {
  const isPlain = !types.isProxy(object) && isPlainPrototype(Object.getPrototypeOf(object), object);
  if (object instanceof Map) {
    for (const [key, item] of object) {
      add(key, seen);
      add(item, seen);
    }
  } else if (object instanceof Set) {
    for (const item of object) add(item, seen);
  }
  // The items of a view are numbers, and may be many.
  if (ArrayBuffer.isView(object)) return false;
  let isWhole = isPlain;
  for (const name of Reflect.ownKeys(object)) {
    const property = Reflect.getOwnPropertyDescriptor(object, name);
    if (property === undefined || !("value" in property)) isWhole = false;
    else if (typeof property.value === "function") isWhole = false;
    else add(property.value, seen);
  }
  if (isPlain) Object.freeze(object);
  return isWhole;
}

function isPlainPrototype(prototype: unknown, object: object): boolean {
  if (Array.isArray(object)) return prototype === Array.prototype;
  return prototype === Object.prototype || prototype === null;
}

function add(value: unknown, seen: Set<object>): void {
  if (typeof value === "object" && value !== null) seen.add(value);
}
