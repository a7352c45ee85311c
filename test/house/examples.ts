// Finds the examples in the docstrings of public names. An example is the TypeScript in the fence
// after an `@example` tag. A `console.log(…);` in it ends with a comment that says the line it
// prints. Called by examples.test.ts; example-runner.ts runs the examples.

import ts from "typescript";

import { publicDeclarations, type ReadSource } from "./public-names.js";

export interface Example {
  /** The public name, or `Name.method`; with a number from its second example on. */
  readonly name: string;
  readonly file: string;
  readonly code: string;
}

export interface FoundExamples {
  readonly examples: readonly Example[];
  /** Public names whose own docstring has no example. A method need not have one. */
  readonly missing: readonly string[];
}

/** The examples of every name that `door` exports, and of the members of classes and interfaces. */
export function examplesOf(door: string, read: ReadSource): FoundExamples {
  const examples: Example[] = [];
  const missing: string[] = [];
  for (const { name, found } of publicDeclarations(door, read)) {
    const own = found === undefined ? [] : codesIn(found.node);
    if (found === undefined || own.length === 0) missing.push(name);
    if (found === undefined) continue;
    const { file, node } = found;
    examples.push(...named(name, file, own));
    if (!ts.isClassDeclaration(node) && !ts.isInterfaceDeclaration(node)) continue;
    for (const member of node.members) {
      if (member.name === undefined) continue;
      examples.push(...named(`${name}.${member.name.getText()}`, file, codesIn(member)));
    }
  }
  return { examples, missing };
}

function named(name: string, file: string, codes: readonly string[]): Example[] {
  return codes.map((code, index) => ({
    name: index === 0 ? name : `${name} ${index + 1}`,
    file,
    code,
  }));
}

/** The fenced TypeScript of every `@example` of a declaration. */
function codesIn(node: ts.Node): string[] {
  const docs = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  return docs.flatMap((doc) => {
    const lines = doc.getText().split("\n");
    const text = lines.map((line) => line.replace(/^\s*\* ?/, "")).join("\n");
    const [, ...parts] = text.split(/^@example$/m);
    return parts.flatMap((part) => /^```ts\n(.*?)^```$/ms.exec(part)?.[1] ?? []);
  });
}

/** The lines that an example says it prints; undefined if a `console.log` does not say it. */
export function expectedOutput(code: string): string[] | undefined {
  const lines: string[] = [];
  for (const line of code.split("\n").filter((each) => each.includes("console.log("))) {
    const said = /console\.log\(.*\); \/\/ (.+)$/.exec(line)?.[1];
    if (said === undefined) return undefined;
    lines.push(said);
  }
  return lines;
}
