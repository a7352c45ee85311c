// The house rules as pure functions from a source text to the faults in it. Called by
// house.test.ts, which runs each over the tree, and over a seeded bad text first: a rule that has
// never been red is not a rule.

import { basename, dirname } from "node:path/posix";

import ts from "typescript";

export const fileLinesMax = 400;
export const folderFilesMax = 14;
export const columnsMax = 100;
export const functionLinesMax = 70;
export const workerLinesMax = 40;

/** The file that binds the timers and clocks of the runtime; all else takes them from its door. */
const timersFile = "src/base/timers.ts";

/** Timers and clocks that a test runner may replace by fakes. */
const fakeable: ReadonlySet<string> = new Set([
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
  "setImmediate",
  "clearImmediate",
  "queueMicrotask",
  "performance",
  "Date",
]);
const fakeableMembers: ReadonlySet<string> = new Set([
  "process.nextTick",
  "process.hrtime",
  "AbortSignal.timeout",
]);
const fakeableModules = /^(?:node:)?(?:timers|timers\/promises|perf_hooks)$/;
const scopes: ReadonlySet<string> = new Set(["globalThis", "global", "self"]);

const bannedNames: ReadonlySet<string> = new Set(["utils", "helpers", "common", "types", "misc"]);

// Spelled in two parts, so that this file does not hold what it forbids.
const bannedWords = ["FIX" + "ME", "TO" + "DO", "X" + "XX"];
const machinePath =
  /(?:^|["'`\s(=])(?:\/(?:home|root|Users|mnt|tmp|work|workspace)\/|[A-Z]:\\Users\\)/;

/** A file that has grown past what one noun needs. */
export function lengthFaults(file: string, text: string, linesMax: number): string[] {
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return lines <= linesMax ? [] : [`${file}: has ${lines} lines; at most ${linesMax}`];
}

/** A folder that has grown past what one room needs; `files` are the paths under src/. */
export function folderFaults(files: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const file of files) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count > folderFilesMax)
    .map(([folder, count]) => `${folder}/: has ${count} files; at most ${folderFilesMax}`);
}

/** Files of one name in two rooms, which a search cannot tell apart. Each room has its own door. */
export function sameNameFaults(files: readonly string[]): string[] {
  const known = new Map<string, string>();
  const faults: string[] = [];
  for (const file of files) {
    const name = basename(file);
    const other = known.get(name);
    if (name !== "mod.ts" && other !== undefined) faults.push(`${file}: is named as ${other}`);
    known.set(name, file);
  }
  return faults;
}

/** Lines that a reader has to scroll for, comments included. A long link cannot be broken, nor
 *  the text of a mutant, which is looked up as it stands. */
export function columnFaults(file: string, text: string): string[] {
  const unbroken = /mutant/.test(file) ? /["'`]/ : /https?:\/\/\S{60}/;
  return text
    .split("\n")
    .map((line, index) => ({ line, at: `${file}:${index + 1}` }))
    .filter(({ line }) => line.length > columnsMax && !unbroken.test(line))
    .map(({ line, at }) => `${at}: has ${line.length} columns; at most ${columnsMax}`);
}

/** Words that the glossary has retired, and why a match may stand. */
const retiredWords: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\b(?:a|an|its|own|this|that|each|every|next|first|free|two|one|other|no) places?\b/i, "slot"],
  [/\bkill(?!-?ed by|ed process|s? -9|\()(?:s|ed|ing|\d)?\b/i, "tombstone"],
  [/\bdead[ -](?:mark|list)s?\b|\bdeadList/i, "tombstone list"],
  [/\bdurable (?:location|copy)\b/i, "disk location"],
  [/(?<!undercroft\.)\bshapes?\b/i, "schema"],
  [/\bphrases?\b|\bbooks?\b/i, "schema"],
  [/\b(?:overtaken|forsaken)\b/i, "superseded, lock owner dead"],
  [/\bdepartures?\b|\blets? go of\b|\bletGo\b/i, "removal, drop"],
  [/\bputs? off\b|\bputOff\b/i, "defer"],
  [/\bchange log\b|\bkeepers?\b/i, "invalidation log, listener"],
  [/\b(?:kept|built) keys?\b|\bkey habits?\b/i, "interned key, fresh key"],
  [/\bassist(?:s|ed|ing)?\b|\bpatience\b|\bmembership\b/i, "foreground reclaim, retry while busy"],
];

/** What a line of src/ still says in words that the glossary has retired. */
export function retiredFaults(file: string, text: string): string[] {
  const faults: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    for (const [pattern, instead] of retiredWords) {
      const found = pattern.exec(line);
      if (found === null) continue;
      faults.push(`${file}:${index + 1}: says "${found[0]}"; the glossary's word is ${instead}`);
    }
  }
  return faults;
}

/** Code outside kernel/ that computes an address or looks into shared memory itself. */
export function addressFaults(file: string, text: string): string[] {
  if (file.startsWith("src/kernel/")) return [];
  const faults: string[] = [];
  const source = parse(file, text);
  visit(source, (node) => {
    if (ts.isPropertyAccessExpression(node) && node.name.text === "views") {
      faults.push(`${place(source, node)}: reads the kernel's views; use an accessor of kernel/`);
    }
    if (
      ts.isImportDeclaration(node) &&
      /kernel\/(flight-)?layout/.test(node.moduleSpecifier.getText(source))
    ) {
      faults.push(
        `${place(source, node)}: imports the kernel's layout; use an accessor of kernel/`,
      );
    }
    if (
      ts.isNewExpression(node) &&
      /^(?:Big)?(?:Ui|I)nt\d+Array$|^Float64Array$|^DataView$/.test(
        node.expression.getText(source),
      ) &&
      /\bmemory\.buffer\b/.test(node.getText(source))
    ) {
      faults.push(`${place(source, node)}: maps shared memory; only kernel/ does`);
    }
  });
  return faults;
}

/** Functions longer than a page, comments and blank lines not counted. */
export function functionFaults(file: string, text: string): string[] {
  const faults: string[] = [];
  const source = parse(file, text);
  visit(source, (node) => {
    if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) return;
    const lines = node
      .getText(source)
      .split("\n")
      .filter((line) => !/^\s*(?:$|\/\/|\/\*|\*)/.test(line)).length;
    if (lines <= functionLinesMax) return;
    faults.push(`${place(source, node)}: has ${lines} lines; a function has ${functionLinesMax}`);
  });
  return faults;
}

/** Words that promise later work, and paths of one machine; in code and in comments alike. */
export function wordFaults(file: string, text: string): string[] {
  const faults: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const at = `${file}:${index + 1}`;
    for (const word of bannedWords) {
      if (new RegExp(`\\b${word}\\b`).test(line)) faults.push(`${at}: says ${word}; finish it`);
    }
    if (machinePath.test(line)) faults.push(`${at}: names a path of one machine`);
  }
  return faults;
}

/** Code that goes round the four channels, the types or the clock. Prose may say what it likes. */
export function codeFaults(file: string, text: string): string[] {
  const faults: string[] = [];
  const source = parse(file, text);
  visit(source, (node) => {
    const fault = codeFault(file, node);
    if (fault !== undefined) faults.push(`${place(source, node)}: ${fault}`);
  });
  return faults;
}

/**
 * Timers and clocks that src/ and workers/ use unbound: under a test runner's fakes they stand
 * still, and what waits for them never settles. Types may be named, and other objects' properties.
 */
export function timerFaults(file: string, text: string): string[] {
  if (file === timersFile || file.startsWith("src/kernel/assembly/")) return [];
  const faults: string[] = [];
  const source = parse(file, text);
  const bound = importedNames(source);
  const refuse = (node: ts.Node, what: string): void => {
    faults.push(`${place(source, node)}: uses ${what} unbound; import it from base/`);
  };
  visit(source, (node) => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const isType = node.importClause?.isTypeOnly === true;
      if (!isType && fakeableModules.test(node.moduleSpecifier.text)) {
        refuse(node, node.moduleSpecifier.text);
      }
    }
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      const [object, property] = [node.expression.text, node.name.text];
      if (fakeableMembers.has(`${object}.${property}`)) refuse(node, `${object}.${property}`);
      if (scopes.has(object) && fakeable.has(property)) refuse(node, `${object}.${property}`);
    }
    if (!ts.isIdentifier(node) || !fakeable.has(node.text) || bound.has(node.text)) return;
    if (isFakeableUse(node)) refuse(node, node.text);
  });
  return faults;
}

/** Whether an identifier reads the global of its name: not a property, a declaration or a type. A
 *  Date of given milliseconds, its prototype and its class are no clock. */
function isFakeableUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return false;
  if (ts.isPropertyAssignment(parent) && parent.name === node) return false;
  if (ts.isTypeReferenceNode(parent) || ts.isTypeQueryNode(parent)) return false;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false;
  if (node.text !== "Date") return true;
  if (ts.isPropertyAccessExpression(parent)) return /^(?:now|UTC|parse)$/.test(parent.name.text);
  return ts.isNewExpression(parent) && (parent.arguments ?? []).length === 0;
}

/** The names that a file takes from base/. */
function importedNames(source: ts.SourceFile): ReadonlySet<string> {
  const names = new Set<string>();
  for (const node of source.statements) {
    if (!ts.isImportDeclaration(node) || !ts.isStringLiteral(node.moduleSpecifier)) continue;
    if (!/\/base\/mod\.js$|^\.\/timers\.js$/.test(node.moduleSpecifier.text)) continue;
    const named = node.importClause?.namedBindings;
    if (named === undefined || !ts.isNamedImports(named)) continue;
    for (const { name } of named.elements) names.add(name.text);
  }
  return names;
}

/** A door re-exports and does nothing else. */
export function doorFaults(file: string, text: string): string[] {
  if (basename(file) !== "mod.ts" || file.startsWith("src/kernel/assembly/")) return [];
  const source = parse(file, text);
  return source.statements
    .filter((node) => !ts.isExportDeclaration(node) || node.moduleSpecifier === undefined)
    .map((node) => `${place(source, node)}: a door only re-exports`);
}

/** A file is named for its noun, and opens by saying what it is; a door's names say it. */
export function openingFaults(file: string, text: string): string[] {
  const faults: string[] = [];
  const name = basename(file).replace(/\.ts$/, "");
  if (bannedNames.has(name)) faults.push(`${file}: is named for no noun of the field`);
  if (!/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test|\.d)?$/.test(name)) {
    faults.push(`${file}: is not named in kebab-case`);
  }
  if (name !== "mod" && !/^(?:#!.*\n)?\s*\/[/*]/.test(text)) {
    faults.push(`${file}: does not open with a comment that says what it is`);
  }
  return faults;
}

function codeFault(file: string, node: ts.Node): string | undefined {
  if (ts.isAsExpression(node) && node.type.kind === ts.SyntaxKind.AnyKeyword) {
    return "casts to any; name the type";
  }
  if (ts.isExportAssignment(node)) return "exports a default; export a name";
  if (!ts.isPropertyAccessExpression(node) || !ts.isIdentifier(node.expression)) return undefined;
  const object = node.expression.text;
  if (object === "console" && file.startsWith("src/") && !file.startsWith("src/cli/")) {
    return "prints; an event, an error or a value says it";
  }
  return undefined;
}

function parse(file: string, text: string): ts.SourceFile {
  return ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true, ts.ScriptKind.TS);
}

function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  node.forEachChild((child) => {
    visit(child, look);
  });
}

function place(source: ts.SourceFile, node: ts.Node): string {
  const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
  return `${source.fileName}:${line + 1}`;
}
