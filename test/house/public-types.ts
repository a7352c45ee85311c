// What the entries of the package export, by the type checker: names, the members of classes, and
// every option of an options type. Reads the declarations in dist/, as users do. Called by
// reference.test.ts.

import ts from "typescript";

export interface PublicMember {
  readonly name: string;
  /** Options that are declared in the member's own signature. */
  readonly inlineOptions: readonly string[];
  /** The class or interface that declares it: a class may have it from another. */
  readonly declaredIn: string;
}

export class PublicTypes {
  readonly #checker: ts.TypeChecker;
  readonly #symbols = new Map<string, ReadonlyMap<string, ts.Symbol>>();

  /** `doors` are paths of declaration files. */
  constructor(doors: readonly string[], typeRoot: string) {
    const program = ts.createProgram([...doors], {
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
    this.#checker = program.getTypeChecker();
    for (const door of doors) {
      const file = program.getSourceFile(door);
      const module = file && this.#checker.getSymbolAtLocation(file);
      const exported = module === undefined ? [] : this.#checker.getExportsOfModule(module);
      this.#symbols.set(door, new Map(exported.map((symbol) => [symbol.name, symbol])));
    }
  }

  /** The names that a door exports. */
  names(door: string): string[] {
    return Array.from(this.#symbols.get(door)?.keys() ?? []);
  }

  isClass(door: string, name: string): boolean {
    return (this.#declared(door, name).flags & ts.SymbolFlags.Class) !== 0;
  }

  /** The public members of a class or interface, static ones too, that are not internal. */
  members(door: string, name: string): PublicMember[] {
    const declared = this.#declared(door, name);
    const types = [this.#checker.getDeclaredTypeOfSymbol(declared)];
    if (this.isClass(door, name)) types.push(this.#checker.getTypeOfSymbol(declared));
    return types
      .flatMap((type) => this.#properties(type))
      .filter((symbol) => symbol.name !== "prototype" && isPublic(symbol))
      .filter((symbol) => !this.#documentation(symbol).startsWith("Internal:"))
      .filter(isDeclaredHere)
      .map((symbol) => ({
        name: memberName(symbol),
        inlineOptions: this.#inlineOptions(symbol),
        declaredIn: declarerOf(symbol),
      }));
  }

  /**
   * The options of an options type: its own and those of what it extends, but for exported types,
   * which have tables of their own. An option that is an object of options gives its parts instead
   * ("disk.path"), or beside itself if it may be something else too.
   */
  options(door: string, name: string): string[] {
    const own = this.#ancestors(this.#declared(door, name), name);
    const members = own.flatMap((each) => Array.from(each.members?.values() ?? []));
    return this.#paths(
      members.filter(
        // An option may be written as a method, for its variance.
        ({ flags }) => (flags & (ts.SymbolFlags.Property | ts.SymbolFlags.Method)) !== 0,
      ),
      "",
    );
  }

  /** The exported types that an interface extends. */
  basesOf(door: string, name: string): string[] {
    const own = this.#ancestors(this.#declared(door, name), name);
    const bases = own.flatMap((each) => this.#bases(each)).map((base) => base.name);
    return bases.filter((base) => base !== name && this.#isExported(base));
  }

  /** An interface, and those it extends that have its name or are not exported. */
  #ancestors(symbol: ts.Symbol, name: string): ts.Symbol[] {
    const bases = this.#bases(symbol).filter(
      (base) => base.name === name || !this.#isExported(base.name),
    );
    return [symbol, ...bases.flatMap((base) => this.#ancestors(base, name))];
  }

  #isExported(name: string): boolean {
    return Array.from(this.#symbols.values()).some((symbols) => symbols.has(name));
  }

  #bases(symbol: ts.Symbol): ts.Symbol[] {
    const [declaration] = symbol.declarations ?? [];
    if (declaration === undefined || !ts.isInterfaceDeclaration(declaration)) return [];
    const clauses = declaration.heritageClauses ?? [];
    return clauses
      .flatMap(({ types }) => [...types])
      .map((type) => {
        // Of `Omit<SetOptions, …>` SetOptions is the base.
        const isPart = /^(?:Omit|Pick)$/.test(type.expression.getText());
        const base = (isPart ? type.typeArguments?.[0] : undefined) ?? type;
        return this.#checker.getTypeAtLocation(base).symbol;
      });
  }

  #paths(members: readonly ts.Symbol[], prefix: string): string[] {
    return members.flatMap((member) => {
      const path = `${prefix}${member.name}`;
      const type = this.#checker.getNonNullableType(this.#checker.getTypeOfSymbol(member));
      const kinds = type.isUnion() ? type.types : [type];
      const objects = kinds.filter(isOptionsObject);
      const parts = objects.flatMap((object) => this.#properties(object));
      const whole = objects.length === kinds.length ? [] : [path];
      return [...whole, ...this.#paths(parts, `${path}.`)];
    });
  }

  #properties(type: ts.Type): ts.Symbol[] {
    return this.#checker.getPropertiesOfType(type).filter(({ name }) => !name.includes("#"));
  }

  #documentation(symbol: ts.Symbol): string {
    return ts.displayPartsToString(symbol.getDocumentationComment(this.#checker));
  }

  #inlineOptions(member: ts.Symbol): string[] {
    const signatures = this.#checker.getTypeOfSymbol(member).getCallSignatures();
    return signatures.flatMap((signature) =>
      signature.parameters
        .filter(({ name }) => name === "options")
        .map((options) => this.#checker.getNonNullableType(this.#checker.getTypeOfSymbol(options)))
        .filter((type) => type.symbol?.name === "__type")
        .flatMap((type) => this.#properties(type).map(({ name }) => name)),
    );
  }

  #declared(door: string, name: string): ts.Symbol {
    const symbol = this.#symbols.get(door)?.get(name);
    if (symbol === undefined) throw new Error(`${door} exports no ${name}`);
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    return isAlias ? this.#checker.getAliasedSymbol(symbol) : symbol;
  }
}

/** Whether it is a type of options, or an object of options that is written in place. */
function isOptionsObject({ symbol }: ts.Type): boolean {
  const [declaration] = (symbol as ts.Symbol | undefined)?.declarations ?? [];
  const isHere = declaration?.getSourceFile().fileName.endsWith("options.d.ts");
  if (declaration === undefined || isHere !== true) return false;
  return ts.isTypeLiteralNode(declaration) || symbol.name.endsWith("Options");
}

function memberName({ name }: ts.Symbol): string {
  return name.replace(/^__@(\w+)@\d+$/, "[Symbol.$1]");
}

function isPublic(symbol: ts.Symbol): boolean {
  const hidden = ts.ModifierFlags.Protected | ts.ModifierFlags.Private;
  const declarations = symbol.declarations ?? [];
  return declarations.every((node) => (ts.getCombinedModifierFlags(node) & hidden) === 0);
}

function declarerOf(symbol: ts.Symbol): string {
  const parent = symbol.declarations?.[0]?.parent;
  const isNamed =
    parent !== undefined && (ts.isClassLike(parent) || ts.isInterfaceDeclaration(parent));
  return isNamed ? (parent.name?.text ?? "") : "";
}

/** Not what comes from Error and the like. */
function isDeclaredHere(symbol: ts.Symbol): boolean {
  const files = (symbol.declarations ?? []).map((node) => node.getSourceFile().fileName);
  return files.some((file) => file.includes("/dist/src/"));
}
