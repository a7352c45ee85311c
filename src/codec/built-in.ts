// Finds the built-in type of an object whatever its prototype claims, and whether its prototype is
// the type's own. Called by the survey (survey.ts). Objects of another realm (vm contexts, which
// some test runners use) count as built-ins too.

import { types } from "node:util";

const viewTag = Reflect.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)?.get;

/**
 * The name of the built-in type whose internal state `value` has. "Object" means that it has none:
 * its own properties are all there is. `undefined` means that it has state that cannot be copied.
 */
export function builtInName(value: object): string | undefined {
  if (types.isProxy(value)) return undefined; // first, since a revoked proxy throws
  if (Array.isArray(value)) return "Array";
  // This getter names a typed array of any realm.
  if (types.isTypedArray(value)) {
    return Buffer.isBuffer(value) ? "Buffer" : (viewTag?.call(value) as string);
  }
  if (types.isDataView(value)) return "DataView";
  if (types.isMap(value)) return "Map";
  if (types.isSet(value)) return "Set";
  if (types.isDate(value)) return "Date";
  if (types.isRegExp(value)) return "RegExp";
  if (types.isArrayBuffer(value)) return "ArrayBuffer";
  if (types.isNativeError(value)) return "Error";
  if (types.isBoxedPrimitive(value)) return boxedName(value);
  return hasOwnState(value) ? undefined : "Object";
}

function boxedName(value: object): string | undefined {
  if (types.isNumberObject(value)) return "Number";
  if (types.isStringObject(value)) return "String";
  if (types.isBooleanObject(value)) return "Boolean";
  return types.isBigIntObject(value) ? "BigInt" : undefined; // a boxed symbol
}

function hasOwnState(value: object): boolean {
  return (
    types.isArgumentsObject(value) ||
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    value instanceof WeakRef ||
    types.isSharedArrayBuffer(value) ||
    types.isGeneratorObject(value) ||
    types.isMapIterator(value) ||
    types.isSetIterator(value) ||
    types.isModuleNamespaceObject(value) ||
    types.isExternal(value) ||
    isNamespace(value)
  );
}

/** Whether an object is a namespace of functions, such as `Math`: a property of its own tags it. */
function isNamespace(value: object): boolean {
  const tag = Object.getOwnPropertyDescriptor(value, Symbol.toStringTag);
  return tag !== undefined && !tag.enumerable && Object.keys(value).length === 0;
}

/** Whether the memory of an ArrayBuffer, or of a view, was transferred away: its bytes are lost. */
export function isDetached(value: ArrayBufferLike | ArrayBufferView): boolean {
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
  if (buffer.byteLength > 0) return false;
  try {
    return new Uint8Array(buffer).length > 0; // false, unless it throws
  } catch {
    return true;
  }
}

const errorNames: ReadonlySet<string> = new Set([
  "Error",
  "EvalError",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "TypeError",
  "URIError",
  "AggregateError",
]);

/** Whether `prototype` is the prototype of the built-in type `name`, in this realm or another. */
export function isBuiltInPrototype(prototype: unknown, name: string): boolean {
  if (typeof prototype !== "object" || prototype === null) return false;
  if (name === "Object" && prototype === Object.prototype) return true;
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  if (typeof maker !== "function" || maker.prototype !== prototype) return false;
  if (maker === Buffer) return name === "Buffer";
  const isNamed = name === "Error" ? errorNames.has(maker.name) : maker.name === name;
  return isNamed && /\{\s*\[native code\]\s*\}\s*$/.test(Function.prototype.toString.call(maker));
}
