// What the built site must hold. Links: each leads to a page that is there, and to a heading of it,
// and nothing is taken from another host when a page is shown. Names: whatever the package exports
// has a page, with a heading for each method of a class and each option of an options type; the
// TypeScript compiler says what there is, so that what typedoc leaves out is found. Called by
// build.js; functions of texts, for their tests.

import { posix } from "node:path";
import ts from "typescript";

const attributesOf = (html, pattern) => Array.from(html.matchAll(pattern), (match) => match[1]);

/** The anchors of a page. */
const idsOf = (html) => new Set(attributesOf(html, /\sid="([^"]+)"/g));

/** What a page or a stylesheet loads, apart from links that a reader follows. */
function loadedOf(file, text) {
  if (file.endsWith(".css")) return attributesOf(text, /url\(["']?([^"')]+)/g);
  const sources = attributesOf(text, /<(?:script|img|iframe|source|video)[^>]*\ssrc="([^"]+)"/g);
  return [...sources, ...attributesOf(text, /<link[^>]*\shref="([^"]+)"/g)];
}

const isExternal = (address) => /^(?:[a-z]+:)?\/\//i.test(address);

/** The file of the site that an address of a page names. */
function targetOf(file, address, base) {
  const path = decodeURI(address.split(/[#?]/)[0]);
  if (path === "") return file;
  const absolute = path.startsWith(base) ? path.slice(base.length) : undefined;
  if (path.startsWith("/") && absolute === undefined) return undefined;
  const target = posix.normalize(absolute ?? posix.join(posix.dirname(file), path));
  return target === "." || target.endsWith("/") ? posix.join(target, "index.html") : target;
}

/** Dead links and external assets. `files` are the texts of a site by path; of others the path. */
export function linkFaults(files, base = "/") {
  const faults = [];
  for (const [file, text] of files) {
    if (!/\.(?:html|css)$/.test(file)) continue;
    const loaded = loadedOf(file, text);
    for (const address of loaded.filter(isExternal)) faults.push(`${file} loads ${address}`);
    if (!file.endsWith(".html")) continue;
    const links = attributesOf(text, /<a[^>]*\shref="([^"]+)"/g);
    for (const address of new Set([...links, ...loaded])) {
      if (isExternal(address) || /^(?:data|mailto):/.test(address)) continue;
      const target = targetOf(file, address, base);
      const found = target === undefined ? undefined : files.get(target);
      if (found === undefined) {
        faults.push(`${file} links to ${address}, which is not there`);
        continue;
      }
      const anchor = decodeURIComponent(address.split("#")[1] ?? "");
      if (anchor !== "" && !idsOf(found).has(anchor)) {
        faults.push(`${file} links to ${address}, which names no heading`);
      }
    }
  }
  return faults;
}

/** Names that have no page under `reference/`, and members that no heading of it names. */
export function nameFaults(names, files) {
  const pages = new Map();
  for (const [file, html] of files) {
    if (file.startsWith("reference/")) pages.set(posix.basename(file, ".html"), html);
  }
  return names.flatMap(({ name, members }) => {
    const page = pages.get(name);
    if (page === undefined) return [`${name} has no page in the reference`];
    const ids = idsOf(page);
    return members
      .filter((member) => !ids.has(member.toLowerCase()))
      .map((member) => `${name}.${member} has no heading in the reference`);
  });
}

/** What the doors export: each name, with the members of classes and of types of options. */
export function exportedNames(doors, typeRoot) {
  const program = ts.createProgram(doors, {
    target: ts.ScriptTarget.ES2023,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
    types: ["node"],
    typeRoots: [typeRoot],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  });
  const checker = program.getTypeChecker();
  const names = new Map();
  for (const door of doors) {
    const file = program.getSourceFile(door);
    const module = file && checker.getSymbolAtLocation(file);
    if (module === undefined) throw new Error(`${door} is no module`);
    for (const symbol of checker.getExportsOfModule(module)) {
      names.set(symbol.name, { name: symbol.name, members: membersOf(checker, symbol) });
    }
  }
  return [...names.values()];
}

function membersOf(checker, symbol) {
  const aliased = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
  const declared = aliased ? checker.getAliasedSymbol(symbol) : symbol;
  const isClass = (declared.flags & ts.SymbolFlags.Class) !== 0;
  if (!isClass && !symbol.name.endsWith("Options")) return [];
  return checker
    .getPropertiesOfType(checker.getDeclaredTypeOfSymbol(declared))
    .filter((member) => isShown(checker, member))
    .map(({ name }) => /^__@(\w+)@/.exec(name)?.[1] ?? name);
}

/** Ours, for users, and not what a class has from Node.js or the language. */
function isShown(checker, member) {
  const text = ts.displayPartsToString(member.getDocumentationComment(checker));
  if (text.startsWith("Internal:") || member.name.startsWith("#")) return false;
  const [declaration] = member.declarations ?? [];
  if (declaration === undefined) return false;
  const isHidden =
    ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.NonPublicAccessibilityModifier;
  return !isHidden && /[\\/]dist[\\/]/.test(declaration.getSourceFile().fileName);
}
