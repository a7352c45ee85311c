// Makes code small that stays readable in a stack: white space and comments go, local names are shortened; the names of
// functions, classes and private methods stay, and each statement and each member of a class has a line, since Node
// prints the line that threw and a stack counts them.
import { parseAst } from "rolldown/parseAst";
import { minifySync } from "rolldown/utils";

/** `code`, smaller. */
export function readable(code) {
  const { code: small, errors } = minifySync("module.js", code, {
    module: true,
    // What is executed stays the same: nothing but names and white space changes.
    compress: false,
    mangle: { keepNames: true, toplevel: true },
    codegen: { removeWhitespace: true, legalComments: "none" },
  });
  if (errors.length > 0) throw new Error(errors[0].message);
  return withLines(withPrivateNames(code, small));
}

/** The nodes of a tree, in an order that depends only on its shape. */
function* nodes(tree) {
  yield tree;
  for (const child of Object.values(tree)) {
    for (const each of Array.isArray(child) ? child : [child]) {
      if (typeof each?.type === "string") yield* nodes(each);
    }
  }
}

/** `small` with the private names of `code`, whose tree has the same shape: the shortener has no option to keep them. */
function withPrivateNames(code, small) {
  const [were, are] = [code, small].map((text) =>
    [...nodes(parseAst(text))].filter(({ type }) => type === "PrivateIdentifier"),
  );
  if (were.length !== are.length) throw new Error("the trees differ in their private names");
  return spliced(
    small,
    are.map(({ start, end }, index) => ({ start, end, text: `#${were[index].name}` })),
  );
}

/** Whose `body` lists statements or members. */
const lists = new Set(["Program", "BlockStatement", "ClassBody", "StaticBlock"]);

/** A line ends only behind `;`, `{` or `}` and before a statement or a member, so the code stays the same. */
function withLines(code) {
  const starts = [...nodes(parseAst(code))]
    .filter(({ type }) => lists.has(type))
    .flatMap(({ body }) => body.map(({ start }) => start))
    .filter((start) => start > 0 && ";{}".includes(code[start - 1]));
  return spliced(
    code,
    starts.map((start) => ({ start, end: start, text: "\n" })),
  );
}

function spliced(code, changes) {
  let text = "";
  let from = 0;
  for (const change of changes.toSorted((a, b) => a.start - b.start)) {
    text += code.slice(from, change.start) + change.text;
    from = change.end;
  }
  return text + code.slice(from);
}
