// Freezes decoded values for the near cache's mode "frozen". Called once for each value it keeps.

/**
 * Freezes `value` and everything it holds, and returns it. Runs no getter and handles cycles. The
 * bytes of typed arrays and buffers cannot be frozen. A Map, Set or Date is frozen as an object,
 * and so is what it holds, but its own methods (`set`, `add`, `setTime`) still change it.
 */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  const seen = new Set<object>([value]);
  // Iterating a Set also visits what is added meanwhile, so this needs no recursion and no queue.
  for (const object of seen) freezeOne(object, seen);
  return value;
}

function freezeOne(object: object, seen: Set<object>): void {
  if (ArrayBuffer.isView(object)) return;
  if (object instanceof Map) {
    for (const [key, item] of object) {
      addObject(key, seen);
      addObject(item, seen);
    }
  } else if (object instanceof Set) {
    for (const item of object) addObject(item, seen);
  }
  for (const name of Reflect.ownKeys(object)) {
    addObject(Reflect.getOwnPropertyDescriptor(object, name)?.value, seen);
  }
  Object.freeze(object);
}

function addObject(value: unknown, seen: Set<object>): void {
  if (typeof value === "object" && value !== null) seen.add(value);
}
