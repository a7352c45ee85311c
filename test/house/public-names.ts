// What the package's entries export, and which of it has no docstring. Follows `export … from` to
// the declaration by syntax alone, so it needs no type checker. Called by house.test.ts and
// examples.ts.

import { posix } from "node:path";

import ts from "typescript";

/** The text of a file by its path from the repository's root, or undefined where there is none. */
export type ReadSource = (file: string) => string | undefined;

export interface PublicName {
  readonly name: string;
  /** Where it is declared; undefined where the trail ends in a package or nowhere. */
  readonly file: string | undefined;
  /** Names declared without a docstring: the name itself, or `Name.method`. */
  readonly undocumented: readonly string[];
}

export interface PublicDeclaration {
  readonly name: string;
  /** Undefined where the trail ends in a package or nowhere. */
  readonly found: Found | undefined;
}

interface Found {
  readonly file: string;
  readonly node: ts.Statement;
}

/** Every name `door` exports, each followed to its declaration. */
export function publicDeclarations(door: string, read: ReadSource): PublicDeclaration[] {
  return namesOf(door, read).map((name) => ({ name, found: declarationOf(door, name, read) }));
}

/** Every name `door` exports, with its names that lack a docstring. */
export function publicNames(door: string, read: ReadSource): PublicName[] {
  return publicDeclarations(door, read).map(({ name, found }) => {
    if (found === undefined) return { name, file: undefined, undocumented: [name] };
    return { name, file: found.file, undocumented: undocumentedIn(name, found.node) };
  });
}

function namesOf(file: string, read: ReadSource): string[] {
  const names: string[] = [];
  for (const node of statementsOf(file, read)) {
    if (ts.isExportDeclaration(node) && node.exportClause === undefined) {
      const target = targetOf(file, node);
      if (target !== undefined) names.push(...namesOf(target, read));
    } else if (ts.isExportDeclaration(node) && node.exportClause !== undefined) {
      if (ts.isNamedExports(node.exportClause)) {
        names.push(...node.exportClause.elements.map((element) => element.name.text));
      } else names.push(node.exportClause.name.text);
    } else if (isExported(node)) names.push(...declaredNames(node));
  }
  return names;
}

function declarationOf(file: string, name: string, read: ReadSource): Found | undefined {
  const statements = statementsOf(file, read);
  // An overload's docstring stands on its first signature, a declared name's on its only one.
  const own = statements.find((node) => declaredNames(node).includes(name));
  if (own !== undefined) return { file, node: own };
  for (const node of statements) {
    if (!ts.isExportDeclaration(node)) continue;
    const target = targetOf(file, node);
    if (target === undefined) continue;
    const inner = innerName(node, name);
    const found = inner === undefined ? undefined : declarationOf(target, inner, read);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The name of `name` in the module that `node` re-exports from; undefined if not re-exported. */
function innerName(node: ts.ExportDeclaration, name: string): string | undefined {
  if (node.exportClause === undefined) return name;
  if (!ts.isNamedExports(node.exportClause)) return undefined;
  const element = node.exportClause.elements.find((each) => each.name.text === name);
  return element === undefined ? undefined : (element.propertyName ?? element.name).text;
}

function undocumentedIn(name: string, node: ts.Statement): string[] {
  const missing = hasDocstring(node) ? [] : [name];
  if (!ts.isClassDeclaration(node) && !ts.isInterfaceDeclaration(node)) return missing;
  const documented = new Set<string>();
  const methods = new Set<string>();
  for (const member of node.members) {
    if (!ts.isMethodDeclaration(member) && !ts.isMethodSignature(member)) continue;
    if (!ts.isIdentifier(member.name)) continue;
    methods.add(member.name.text);
    if (hasDocstring(member)) documented.add(member.name.text);
  }
  for (const method of methods) {
    if (!documented.has(method)) missing.push(`${name}.${method}`);
  }
  return missing;
}

function hasDocstring(node: ts.Node): boolean {
  return ts
    .getJSDocCommentsAndTags(node)
    .some((doc) => ts.isJSDoc(doc) && doc.comment !== undefined);
}

function declaredNames(node: ts.Statement): string[] {
  if (ts.isVariableStatement(node)) {
    return node.declarationList.declarations.map((each) => each.name.getText());
  }
  const named =
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node);
  return named && node.name !== undefined ? [node.name.text] : [];
}

function isExported(node: ts.Statement): boolean {
  if (!ts.canHaveModifiers(node)) return false;
  const modifiers = ts.getModifiers(node) ?? [];
  return modifiers.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword);
}

function targetOf(file: string, node: ts.ExportDeclaration): string | undefined {
  if (node.moduleSpecifier === undefined || !ts.isStringLiteral(node.moduleSpecifier)) {
    return undefined;
  }
  const specifier = node.moduleSpecifier.text;
  if (!specifier.startsWith(".")) return undefined;
  return posix.join(posix.dirname(file), specifier.replace(/\.js$/, ".ts"));
}

function statementsOf(file: string, read: ReadSource): readonly ts.Statement[] {
  const text = read(file);
  if (text === undefined) return [];
  return ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true, ts.ScriptKind.TS).statements;
}
