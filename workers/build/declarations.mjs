// Makes the declarations that ship, dist/types/: of those that tsc has put into dist/src/ what the package's exports reach,
// without what is not for users: members that are private or protected, and those whose docs begin with "Internal:". Files
// keep their places and docs; imports name the file that declares a name, so doors of rooms are not needed. Run by
// `npm run build`, behind tsc.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const from = at("dist/src/");
const to = at("dist/types/");
const { exports } = JSON.parse(readFileSync(at("package.json"), "utf8"));
const entries = Object.values(exports)
  .filter((entry) => typeof entry === "object")
  .map(({ default: file }) => at(file).replace(/\.js$/, ".d.ts"));
const program = ts.createProgram(entries, {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ["node"],
});
const checker = program.getTypeChecker();

const isOurs = (node) => resolve(node.getSourceFile().fileName).startsWith(from);
const origin = (symbol) =>
  symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;

/** The statement of a file that a node is part of. */
function statementOf(node) {
  while (!ts.isSourceFile(node.parent)) node = node.parent;
  return node;
}

/** What of a class is for users: a member as it is, nothing, or a text in its place. */
function replaced(member) {
  const modifiers = ts.getCombinedModifierFlags(member);
  const [docs] = ts.getJSDocCommentsAndTags(member);
  const isInternal = docs !== undefined && /^\/\*\*[\s*]*Internal:/.test(docs.getText());
  if (ts.isConstructorDeclaration(member)) {
    if (!isInternal) return undefined;
    // No user makes one; a class that others extend lets these.
    const isBase = ts.getCombinedModifierFlags(member.parent) & ts.ModifierFlags.Abstract;
    return isBase ? "\n    protected constructor();" : "\n    private constructor();";
  }
  const isHidden = modifiers & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected);
  return isHidden || isInternal ? "" : undefined;
}

/** The parts of a statement that are not for users, with what stands for them. */
function cutsOf(statement) {
  if (!ts.isClassDeclaration(statement)) return [];
  return statement.members.flatMap((member) => {
    const text = replaced(member);
    return text === undefined ? [] : [{ start: member.pos, end: member.end, text }];
  });
}

/** Calls `visit` for each name in what is left of a statement. */
function names(statement, visit) {
  const cuts = new Set(cutsOf(statement).map(({ start }) => start));
  const walk = (node) => {
    if (ts.isClassElement(node) && cuts.has(node.pos)) return;
    if (ts.isImportTypeNode(node)) throw new Error(`${node.getText()}: import it by name`);
    if (ts.isIdentifier(node)) visit(node);
    ts.forEachChild(node, walk);
  };
  walk(statement);
}

/** By file: the statements that are reached. */
const kept = new Map();
const queue = [];

function keep(symbol) {
  for (const declaration of origin(symbol).declarations ?? []) {
    if (!isOurs(declaration) || ts.isSourceFile(declaration)) continue;
    const statement = statementOf(declaration);
    const file = statement.getSourceFile();
    if (!kept.has(file)) kept.set(file, new Set());
    if (kept.get(file).has(statement)) continue;
    kept.get(file).add(statement);
    queue.push(statement);
  }
}

/** What `file` must import: by specifier the names as they are there, each with how it is called here. */
function importsOf(file, statements) {
  const wanted = new Map();
  const locals = new Map(
    file.statements.filter(ts.isImportDeclaration).flatMap((each) => {
      const { name, namedBindings: bindings } = each.importClause ?? {};
      if (bindings !== undefined && ts.isNamespaceImport(bindings)) {
        throw new Error(`${each.getText()}: import by name`);
      }
      const specifier = each.moduleSpecifier.text;
      const listed = (bindings?.elements ?? []).map((one) => [one.name.text, { one, specifier }]);
      return name === undefined
        ? listed
        : [[name.text, { one: each.importClause, specifier }], ...listed];
    }),
  );
  for (const statement of statements) {
    names(statement, ({ text }) => {
      const found = locals.get(text);
      if (found === undefined) return;
      const symbol = checker.getAliasedSymbol(checker.getSymbolAtLocation(found.one.name));
      const [declaration] = symbol.declarations ?? [];
      const isInside = declaration !== undefined && isOurs(declaration);
      const specifier = isInside ? pathTo(file, declaration) : found.specifier;
      const name = isInside ? symbol.name : (found.one.propertyName?.text ?? "default");
      const there =
        ts.isImportClause(found.one) || isInside
          ? name
          : (found.one.propertyName ?? found.one.name).text;
      if (!wanted.has(specifier)) wanted.set(specifier, new Map());
      wanted.get(specifier).set(text, there);
    });
  }
  return wanted;
}

/** How `file` names the file of a declaration. */
function pathTo(file, declaration) {
  const target = declaration.getSourceFile().fileName;
  const path = relative(dirname(file.fileName), target).split(sep).join("/");
  return `${path.startsWith(".") ? "" : "./"}${path.replace(/\.d\.ts$/, ".js")}`;
}

const listed = (word, lists) =>
  [...lists].map(([specifier, list]) => {
    const named = [...list].map(([here, there]) => (here === there ? here : `${there} as ${here}`));
    return `${word} { ${named.join(", ")} } from "${specifier}";\n`;
  });

/** A statement with its docs, without what is not for users. */
function textOf(statement) {
  const file = statement.getSourceFile().text;
  let text = "";
  let start = statement.getFullStart();
  for (const cut of cutsOf(statement)) {
    text += file.slice(start, cut.start) + cut.text;
    start = cut.end;
  }
  return `${(text + file.slice(start, statement.end)).trim()}\n`;
}

/** What an entry exports, by file; types that it exports as types only. */
function exportsOf(entry) {
  const file = program.getSourceFile(entry);
  const lists = { export: new Map(), "export type": new Map() };
  for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(file))) {
    const target = origin(symbol);
    const path = pathTo(file, target.declarations[0]);
    const isType = symbol.declarations.some((each) => ts.isTypeOnlyImportOrExportDeclaration(each));
    const isValue = !isType && (target.flags & ts.SymbolFlags.Value) !== 0;
    const list = lists[isValue ? "export" : "export type"];
    if (!list.has(path)) list.set(path, new Map());
    list.get(path).set(symbol.name, target.name);
  }
  return Object.entries(lists).flatMap(([word, list]) => listed(word, list));
}

function write(file, text) {
  const path = resolve(to, relative(from, file));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

for (const entry of entries) {
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
  checker.getExportsOfModule(module).forEach(keep);
}
while (queue.length > 0) {
  names(queue.pop(), (name) => {
    const symbol = checker.getSymbolAtLocation(name);
    if (symbol !== undefined) keep(symbol);
  });
}
rmSync(to, { recursive: true, force: true });
for (const entry of entries) {
  if (kept.has(program.getSourceFile(entry))) throw new Error(`${entry} declares something`);
  write(entry, exportsOf(entry).join(""));
}
for (const [file, statements] of kept) {
  const own = file.statements.filter((each) => statements.has(each));
  write(
    file.fileName,
    [...listed("import type", importsOf(file, own)), ...own.map(textOf), "export {};\n"].join(""),
  );
}
process.stdout.write(`dist/types: ${kept.size + entries.length} files\n`);
