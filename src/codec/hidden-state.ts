// Finds objects of classes that keep their state where no copy can see it, such as URL or a
// Promise: their own properties say nothing, so they would come back empty. Called by the survey
// for an object whose prototype is not its type's own. Objects of another realm count too.

import { Serializer } from "node:v8";

/** The names that the platform gave its classes when this module was loaded. */
const platformNames: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(globalThis));
const nativePattern = /\{\s*\[native code\]\s*\}\s*$/;
const privatePattern = /#[\p{ID_Start}$_]/u;

/**
 * Whether `value`, an object of built-in type `name` (built-in.ts), is of a class that hides state:
 * one that is native, one of the platform's own, or one that leaves no property to copy while its
 * class has accessors or private members. `isOwn` tells the prototypes of that type.
 */
export function hidesState(
  value: object,
  name: string,
  isOwn: (prototype: object) => boolean,
): boolean {
  const hasProperties = Object.keys(value).length > 0;
  let prototype = Object.getPrototypeOf(value) as object | null;
  for (; prototype !== null && !isOwn(prototype); prototype = nextOf(prototype)) {
    if (isRealmRoot(prototype)) break;
    const verdict = verdictOn(prototype);
    if (verdict === "hides") return true;
    if (verdict === "may hide" && name === "Object" && !hasProperties) return true;
  }
  return name === "Object" && !hasProperties && !isCloneable(value);
}

/** What a prototype says of its objects. "may hide": if they have no property to copy. */
type Verdict = "hides" | "may hide" | "shows";

/** A prototype is looked at once: the source of a class may be long. */
const verdicts = new WeakMap<object, Verdict>();

function verdictOn(prototype: object): Verdict {
  const known = verdicts.get(prototype);
  if (known !== undefined) return known;
  const maker = makerOf(prototype);
  const source = maker === undefined ? "" : Function.prototype.toString.call(maker);
  let verdict: Verdict = "shows";
  if (maker !== undefined && (nativePattern.test(source) || isPlatform(maker, prototype))) {
    verdict = "hides";
  } else if (hasAccessors(prototype) || privatePattern.test(source)) verdict = "may hide";
  verdicts.set(prototype, verdict);
  return verdict;
}

function nextOf(prototype: object): object | null {
  return Object.getPrototypeOf(prototype) as object | null;
}

/** Whether this is the `Object.prototype` of some realm. */
function isRealmRoot(prototype: object): boolean {
  return nextOf(prototype) === null && Object.hasOwn(prototype, "hasOwnProperty");
}

type Maker = (...args: never[]) => unknown;

/** The class of a prototype, unless that is found only by running code. */
function makerOf(prototype: object): Maker | undefined {
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof maker === "function" ? (maker as Maker) : undefined;
}

/** Whether the class is the platform's, or stands for one and says so (as `undici` from npm). */
function isPlatform(maker: Maker, prototype: object): boolean {
  const name: unknown = Object.getOwnPropertyDescriptor(maker, "name")?.value;
  if (typeof name !== "string" || !platformNames.has(name)) return false;
  const tag: unknown = Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag)?.value;
  return tag === name || Reflect.get(globalThis, name) === maker;
}

function hasAccessors(prototype: object): boolean {
  const properties = Object.values(Object.getOwnPropertyDescriptors(prototype));
  return properties.some((property) => !("value" in property));
}

/** Whether V8 can write an object that has no properties; it refuses its own hidden types, such as
 *  iterators. */
function isCloneable(value: object): boolean {
  try {
    const serializer = new Serializer();
    serializer.writeHeader();
    serializer.writeValue(value);
    return true;
  } catch {
    return false;
  }
}
