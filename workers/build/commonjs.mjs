// Writes what CommonJS code is given: mod.cjs beside each entry's mod.js, which requires that (Node 20.19 lets it), so
// both sides have the same classes; and its types, mod.d.cts beside mod.d.ts. TypeScript and other tools believe that a
// package can be required only of CommonJS files. The declarations name the very types of mod.d.ts, so a cache is the same
// type on both sides. Run by `npm run build`, behind the rest.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = new URL("../../", import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
const entries = Object.values(exports).filter((entry) => typeof entry === "object");
const files = entries.map(({ types }) => fileURLToPath(new URL(types, root)));
const program = ts.createProgram(files, {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ["node"],
});
const checker = program.getTypeChecker();

/** A declaration of a value, and for a class of its type, in CommonJS. */
function declared(symbol) {
  const { name } = symbol;
  const origin = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const value = `export declare const ${name}: typeof $module.${name};`;
  if (!(origin.flags & ts.SymbolFlags.Class)) return [value];
  const parameters = origin.declarations.find(ts.isClassDeclaration).typeParameters ?? [];
  const [taken, given] = [parameters.map(plain), parameters.map((each) => each.name.text)].map(
    (list) => (list.length > 0 ? `<${list.join(", ")}>` : ""),
  );
  return [value, `export type ${name}${taken} = $module.${name}${given};`];
}

/** A type parameter as it is written. It is repeated in a file that knows no names. */
function plain(parameter) {
  const text = parameter.getText();
  if (/^\w+( (extends|=) (unknown|object|string|number))*$/.test(text)) return text;
  throw new Error(`a type parameter of a public class that mod.d.cts cannot repeat: ${text}`);
}

for (const [index, file] of files.entries()) {
  const source = program.getSourceFile(file);
  const all = checker.getExportsOfModule(checker.getSymbolAtLocation(source));
  // A class may be exported as a type only; what is a value the module itself says.
  const values = new Set(Object.keys(await import(new URL(entries[index].default, root))));
  const symbols = all.filter(({ name }) => values.has(name));
  if (symbols.length !== values.size) throw new Error(`${file} declares not all that is exported`);
  const text = `import type * as $module from "./mod.js" with { "resolution-mode": "import" };
export type * from "./mod.js" with { "resolution-mode": "import" };
${symbols.flatMap(declared).join("\n")}
`;
  const { require } = entries[index];
  writeFileSync(new URL(require.types, root), text);
  writeFileSync(new URL(require.default, root), 'module.exports = require("./mod.js");\n');
}
