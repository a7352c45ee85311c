// What V8's serialization leaves out of a value, and how it is put back. The survey makes the list, structured.ts
// writes it beside the value in the same message, so that V8 keeps the references between the two; after reading, each
// repair is applied to the object it names. The kinds are ON DISK and never change their meaning.

/** Own enumerable properties of a built-in: name, value, name, value, ... */
export const repairProperties = 1;
/** An object without a prototype. */
export const repairNullPrototype = 2;
/** Where a regular expression goes on. */
export const repairLastIndex = 3;
/** The errors of an AggregateError, which V8 turns into an Error. */
export const repairAggregate = 4;

export type Repair = readonly [kind: number, target: object, detail?: unknown];

/** Applies the repairs of a message that was read. Throws if it is no such list. */
export function applyRepairs(repairs: unknown): void {
  if (!Array.isArray(repairs)) throw new Error("no list of repairs");
  for (const repair of repairs as unknown[]) {
    if (!Array.isArray(repair)) throw new Error("no repair");
    const [kind, target, detail] = repair as unknown[];
    if (typeof target !== "object" || target === null) throw new Error("no target of a repair");
    applyRepair(kind, target, detail);
  }
}

function applyRepair(kind: unknown, target: object, detail: unknown): void {
  switch (kind) {
    case repairProperties: {
      if (!Array.isArray(detail)) throw new Error("no properties");
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
      throw new Error("an unknown kind of repair");
  }
}

function define(target: object, name: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(target, name, { value, enumerable, writable: true, configurable: true });
}
