// Where an adapter stores: a cache, or a namespace of one. The caller makes it, says its options
// (ttl, shares, version) and closes it. Used by the adapters to hosts.
import { describe } from "../base/mod.js";
import type { Cache } from "../cache/mod.js";

/** The calls that adapters use, which a cache and a namespace have both. */
export type Space = Pick<
  Cache,
  | "clear"
  | "delete"
  | "deleteMany"
  | "endTag"
  | "entries"
  | "fetch"
  | "get"
  | "getEntry"
  | "getMany"
  | "getStream"
  | "getSync"
  | "has"
  | "keys"
  | "name"
  | "set"
  | "setAsync"
  | "setStream"
  | "update"
  | "updateAsync"
>;

/** Throws TypeError unless `space` is a cache or a namespace. `what` is to be made for `host`. */
export function assertSpace(what: string, space: unknown): asserts space is Space {
  const members = (typeof space === "object" && space !== null ? space : {}) as Partial<Space>;
  if (typeof members.fetch === "function" && typeof members.updateAsync === "function") return;
  throw new TypeError(
    `Cannot make ${what}: its cache is ${describe(space)}; it must be what openCache() resolves ` +
      "to, or a namespace of it",
  );
}

/** How the tags begin that a host's adapter gives to entries of a space, and nobody else: tags are
 *  those of the whole cache. A namespace is named in them, and the cache's own key space is not. */
export function tagPrefixOf(host: string, space: Space): string {
  const name = "namespace" in space ? "" : encodeURIComponent(space.name);
  return `${host}:${name}:`;
}
