// The house rules as pure functions from a source text to the faults in it. Called by house.test.ts, which runs each
// over the tree, and over a seeded bad text first: a rule that has never been red is not a rule.

import { basename } from "node:path";

import ts from "typescript";

export const fileLinesMax = 470;
export const functionLinesMax = 70;
export const workerLinesMax = 40;

/** Files that may read the wall clock: the clock itself, and the open of a directory, which anchors it. */
const wallClockFiles: ReadonlySet<string> = new Set(["src/base/clock.ts"]);

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
  const [object, property] = [node.expression.text, node.name.text];
  if (object === "console" && file.startsWith("src/") && !file.startsWith("src/cli/")) {
    return "prints; an event, an error or a value says it";
  }
  if (object === "Date" && property === "now" && !wallClockFiles.has(file)) {
    return "reads the wall clock; take a Clock";
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
