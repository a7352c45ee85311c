// Makes the declarations that ship, dist/types/: of those that tsc has put into dist/src/ what the package's exports reach,
// without what is not for users: members that are private or protected, and the parameters of constructors whose docs begin
// with "Internal:". A file for each room, in dist/types/shared/, with the docs; two files of a room may not declare one
// name. Run by `npm run build`, behind tsc.
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

/** What stands for a member of a class that is not for users; undefined for one that is. */
function replaced(member) {
  const modifiers = ts.getCombinedModifierFlags(member);
  const isHidden = modifiers & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected);
  if (!ts.isConstructorDeclaration(member)) return isHidden ? "" : undefined;
  const [docs] = ts.getJSDocCommentsAndTags(member);
  if (docs === undefined || !/^\/\*\*[\s*]*Internal:/.test(docs.getText())) return undefined;
  // No user makes one; a class that others extend lets these.
  const isBase = ts.getCombinedModifierFlags(member.parent) & ts.ModifierFlags.Abstract;
  return isBase ? "\n    protected constructor();" : "\n    private constructor();";
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

/** Where what a room declares is put. */
function roomFile(path) {
  return resolve(to, "shared", `${relative(from, path).split(sep)[0]}.d.ts`);
}

/** How `file` names another that is written. */
function specifierOf(file, other) {
  const path = relative(dirname(file), other).split(sep).join("/");
  return `${path.startsWith(".") ? "" : "./"}${path.replace(/\.d\.ts$/, ".js")}`;
}

/** What a file imports: its own names with the node that imports each. */
function importedIn(file) {
  const found = file.statements.filter(ts.isImportDeclaration).flatMap(({ importClause }) => {
    const { name, namedBindings } = importClause ?? {};
    const named = namedBindings?.elements ?? (namedBindings ? [namedBindings] : []);
    return name === undefined ? [...named] : [importClause, ...named];
  });
  return new Map(found.map((node) => [node.name.text, node]));
}

/** The import of a name, for the file that `room` is written to; undefined if it is declared there. */
function importOf(node, room) {
  const here = node.name.text;
  const symbol = checker.getAliasedSymbol(checker.getSymbolAtLocation(node.name));
  const [declaration] = symbol.declarations ?? [];
  if (declaration !== undefined && isOurs(declaration)) {
    const file = roomFile(declaration.getSourceFile().fileName);
    const there = symbol.name;
    if (file !== room) return { specifier: specifierOf(room, file), there, here };
    if (there !== here) throw new Error(`${here} is ${there} of its own room: call it so`);
    return undefined;
  }
  if (ts.isNamespaceImport(node)) throw new Error(`${node.getText()}: import by name`);
  const { moduleSpecifier } = ts.findAncestor(node, ts.isImportDeclaration);
  const there = ts.isImportClause(node) ? "default" : (node.propertyName ?? node.name).text;
  return { specifier: moduleSpecifier.text, there, here };
}

/** What statements of a file import, by specifier. */
function addImports(file, statements, lists) {
  const imported = importedIn(file);
  const room = roomFile(file.fileName);
  for (const statement of statements) {
    names(statement, ({ text }) => {
      const found = imported.has(text) ? importOf(imported.get(text), room) : undefined;
      if (found !== undefined) add(lists, found);
    });
  }
}

function add(lists, { specifier, there, here }) {
  if (!lists.has(specifier)) lists.set(specifier, new Map());
  const list = lists.get(specifier);
  if ((list.get(here) ?? there) !== there) throw new Error(`${here} is two things of ${specifier}`);
  list.set(here, there);
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
    const [declaration] = target.declarations;
    const specifier = specifierOf(written(entry), roomFile(declaration.getSourceFile().fileName));
    const isType = symbol.declarations.some((each) => ts.isTypeOnlyImportOrExportDeclaration(each));
    const isValue = !isType && (target.flags & ts.SymbolFlags.Value) !== 0;
    add(lists[isValue ? "export" : "export type"], {
      specifier,
      there: target.name,
      here: symbol.name,
    });
  }
  return Object.entries(lists).flatMap(([word, list]) => listed(word, list));
}

const written = (entry) => resolve(to, relative(from, entry));

function write(path, text) {
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
for (const entry of entries) write(written(entry), exportsOf(entry).join(""));
/** By file that is written: what it imports, and the texts of what it declares. */
const rooms = new Map();
for (const [file, statements] of kept) {
  const path = roomFile(file.fileName);
  if (!rooms.has(path)) rooms.set(path, { imports: new Map(), texts: [] });
  const own = file.statements.filter((each) => statements.has(each));
  addImports(file, own, rooms.get(path).imports);
  rooms.get(path).texts.push(...own.map(textOf));
}
for (const [path, { imports, texts }] of rooms) {
  const lines = listed("import type", imports);
  write(path, [...lines, ...texts, "export {};\n"].join(""));
}
process.stdout.write(`dist/types: ${rooms.size + entries.length} files\n`);
