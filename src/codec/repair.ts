// Repairs restore what V8's serialization leaves out of a value. The survey lists them;
// structured.ts writes the list beside the value in one message, so V8 keeps the references between
// the two. The reader applies each repair to the object it names. The kinds are ON DISK: they never
// change meaning.

/** Own enumerable properties of a built-in: name, value, name, value, ... */
export const repairProperties = 1;
/** An object without a prototype. */
export const repairNullPrototype = 2;
/** The `lastIndex` of a regular expression. */
export const repairLastIndex = 3;
/** The errors of an AggregateError, which V8 writes as a plain Error. */
export const repairAggregate = 4;

export type Repair = readonly [kind: number, target: object, detail?: unknown];

/** Applies the repairs read from a message. Throws if `repairs` is not a list of repairs. */
export function applyRepairs(repairs: unknown): void {
  if (!Array.isArray(repairs)) throw new Error("Cannot repair a value: no list of repairs");
  for (const repair of repairs as unknown[]) {
    if (!Array.isArray(repair)) throw new Error("Cannot repair a value: an item is no repair");
    const [kind, target, detail] = repair as unknown[];
    if (typeof target !== "object" || target === null) {
      throw new Error("Cannot repair a value: a repair names no object");
    }
    applyRepair(kind, target, detail);
  }
}

function applyRepair(kind: unknown, target: object, detail: unknown): void {
  switch (kind) {
    case repairProperties: {
      if (!Array.isArray(detail)) throw new Error("Cannot repair a value: no list of properties");
      for (let index = 0; index < detail.length; index += 2) {
        define(target, String(detail[index]), detail[index + 1], true);
      }
      break;
    }
    case repairNullPrototype:
      Object.setPrototypeOf(target, null);
      break;
    case repairLastIndex:
      Reflect.set(target, "lastIndex", detail);
      break;
    case repairAggregate:
      Object.setPrototypeOf(target, AggregateError.prototype);
      define(target, "errors", detail, false);
      break;
    default:
      throw new Error("Cannot repair a value: a repair is of an unknown kind");
  }
}

function define(target: object, name: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(target, name, { value, enumerable, writable: true, configurable: true });
}
