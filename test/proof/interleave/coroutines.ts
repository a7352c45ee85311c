// Turns compiled classes of src/ into coroutines, so that the shipped code can be stopped between
// any two of its steps: methods become generators, calls and awaits in them `yield*`, and each
// index into shared memory asks the schedule first. Called by rooms.ts; what the transformed code
// calls at run time is in suspension.ts. Getters and functions given to array methods stay as they
// are, and so do constructors, which run what they call to its end.

import ts from "typescript";

const arrayMethods =
  /^(?:map|filter|some|every|sort|toSorted|find|findIndex|forEach|reduce|flatMap|from)$/;
/** Views of the whole memory, and of the one word of it that a near hit reads. */
const viewName = /(?:^|\.)#?(?:u8|u32|i32|f64|u64)$|\.#last$/;
/** Generators of src/ itself: callers iterate over them unchanged. */
const iterators = /^slotsOf$/;

const { factory } = ts;

function runtime(name: string, args: readonly ts.Expression[]): ts.Expression {
  return factory.createCallExpression(factory.createIdentifier(name), undefined, args);
}

function delegate(name: string, args: readonly ts.Expression[]): ts.Expression {
  const asterisk = factory.createToken(ts.SyntaxKind.AsteriskToken);
  return factory.createParenthesizedExpression(
    factory.createYieldExpression(asterisk, runtime(name, args)),
  );
}

function star(): ts.AsteriskToken {
  return factory.createToken(ts.SyntaxKind.AsteriskToken);
}

function withoutAsync(
  modifiers: ts.NodeArray<ts.ModifierLike> | undefined,
): ts.ModifierLike[] | undefined {
  return modifiers?.filter((modifier) => modifier.kind !== ts.SyntaxKind.AsyncKeyword);
}

/** The text of a module with its functions and methods as coroutines, except those named in
 *  `plain`. */
export function toCoroutines(file: string, text: string, plain: ReadonlySet<string>): string {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS);
  const result = ts.transform(source, [(context) => transformer(context, source, plain)]);
  const printed = ts.createPrinter().printFile(result.transformed[0] as ts.SourceFile);
  result.dispose();
  return `import { $alone, $element, $run, $set } from "@suspension";\n${printed}`;
}

function transformer(
  context: ts.TransformationContext,
  source: ts.SourceFile,
  plain: ReadonlySet<string>,
): (file: ts.SourceFile) => ts.SourceFile {
  const outside = (node: ts.Node): ts.Node => {
    if (ts.isMethodDeclaration(node) && !plain.has(node.name.getText(source))) {
      return factory.updateMethodDeclaration(
        node,
        withoutAsync(node.modifiers),
        star(),
        node.name,
        undefined,
        undefined,
        node.parameters,
        undefined,
        ts.visitEachChild(node.body as ts.Block, inside, context),
      );
    }
    if (ts.isFunctionDeclaration(node) && !plain.has(node.name?.text ?? "")) {
      return factory.updateFunctionDeclaration(
        node,
        withoutAsync(node.modifiers),
        star(),
        node.name,
        undefined,
        node.parameters,
        undefined,
        ts.visitEachChild(node.body as ts.Block, inside, context),
      );
    }
    if (ts.isConstructorDeclaration(node)) return ts.visitEachChild(node, constructing, context);
    return ts.visitEachChild(node, outside, context);
  };

  /** In a constructor: what it calls may be a coroutine, and is run to its end. */
  const constructing = (node: ts.Node): ts.Node => {
    if (ts.isArrowFunction(node)) return node;
    const visited = ts.visitEachChild(node, constructing, context);
    const isCall =
      ts.isCallExpression(visited) && visited.expression.kind !== ts.SyntaxKind.SuperKeyword;
    return isCall ? runtime("$alone", [visited]) : visited;
  };

  const arrow = (node: ts.ArrowFunction): ts.Expression => {
    const body = ts.visitNode(node.body, inside) as ts.ConciseBody;
    const block = ts.isBlock(body)
      ? body
      : factory.createBlock([factory.createReturnStatement(body)]);
    const inner = factory.createFunctionExpression(
      undefined,
      star(),
      undefined,
      undefined,
      node.parameters,
      undefined,
      block,
    );
    const names = node.parameters.map((parameter) => parameter.name as ts.Identifier);
    const call = factory.createCallExpression(
      factory.createPropertyAccessExpression(factory.createParenthesizedExpression(inner), "call"),
      undefined,
      [factory.createThis(), ...names],
    );
    return factory.createParenthesizedExpression(
      factory.createArrowFunction(
        undefined,
        undefined,
        node.parameters,
        undefined,
        undefined,
        call,
      ),
    );
  };

  /** Atomics.op(view, index, …): the index asks the schedule, the operation itself is one step. */
  const atomics = (node: ts.CallExpression, name: string): ts.Expression => {
    const args = node.arguments.map((argument) => ts.visitNode(argument, inside) as ts.Expression);
    const [view, index, ...rest] = args as [ts.Expression, ts.Expression, ...ts.Expression[]];
    const isWrite = name !== "load" && name !== "wait" && name !== "notify";
    const asked = delegate("$element", [
      view,
      index,
      isWrite ? factory.createTrue() : factory.createFalse(),
    ]);
    if (name === "wait") return delegate("$element", [view, index, factory.createNull()]);
    return factory.updateCallExpression(node, node.expression, undefined, [view, asked, ...rest]);
  };

  const call = (node: ts.CallExpression): ts.Expression => {
    const callee = node.expression;
    if (callee.kind === ts.SyntaxKind.SuperKeyword) return node;
    if (ts.isPropertyAccessExpression(callee)) {
      const name = callee.name.text;
      if (callee.expression.getText(source) === "Atomics") return atomics(node, name);
      if (/^(?:Math|Number|Buffer|Array)$/.test(callee.expression.getText(source))) {
        return ts.visitEachChild(node, inside, context);
      }
      if (iterators.test(name)) return ts.visitEachChild(node, inside, context);
      if (
        arrayMethods.test(name) &&
        node.arguments.some((argument) => ts.isArrowFunction(argument))
      )
        return node;
      if (name === "set" && node.arguments.length === 2) {
        const args = node.arguments.map(
          (argument) => ts.visitNode(argument, inside) as ts.Expression,
        );
        return delegate("$set", [
          ts.visitNode(callee.expression, inside) as ts.Expression,
          ...args,
        ]);
      }
    }
    return delegate("$run", [ts.visitEachChild(node, inside, context)]);
  };

  const element = (node: ts.ElementAccessExpression): ts.Expression => {
    const view = node.expression.getText(source);
    if (!viewName.test(view)) return ts.visitEachChild(node, inside, context);
    const { parent } = node;
    const isWrite =
      ts.isBinaryExpression(parent) &&
      parent.left === node &&
      parent.operatorToken.kind === ts.SyntaxKind.EqualsToken;
    const index = ts.visitNode(node.argumentExpression, inside) as ts.Expression;
    const target = ts.visitNode(node.expression, inside) as ts.Expression;
    const asked = delegate("$element", [
      target,
      index,
      isWrite ? factory.createTrue() : factory.createFalse(),
    ]);
    return factory.updateElementAccessExpression(node, target, asked);
  };

  const inside = (node: ts.Node): ts.Node => {
    if (ts.isArrowFunction(node)) return arrow(node);
    if (ts.isCallExpression(node)) return call(node);
    if (ts.isElementAccessExpression(node)) return element(node);
    if (ts.isAwaitExpression(node)) {
      return delegate("$run", [ts.visitNode(node.expression, inside) as ts.Expression]);
    }
    return ts.visitEachChild(node, inside, context);
  };

  return (file) => ts.visitEachChild(file, outside, context);
}
