// Gives minified code a line for each statement and each member of a class: Node prints the line that threw, and a stack
// counts them. A line ends only where one of these begins, behind `;`, `{` or `}`, so the code stays the same.
import { parseAst } from "rolldown/parseAst";

/** Whose `body` lists statements or members. */
const lists = new Set(["Program", "BlockStatement", "ClassBody", "StaticBlock"]);

/** Where the statements and members in `node` begin. */
function* beginnings(node) {
  if (lists.has(node.type)) for (const { start } of node.body) yield start;
  for (const child of Object.values(node)) {
    for (const each of Array.isArray(child) ? child : [child]) {
      if (typeof each?.type === "string") yield* beginnings(each);
    }
  }
}

/** `code` with its lines. */
export function withLines(code) {
  const places = [...beginnings(parseAst(code))].filter((at) => ";{}".includes(code[at - 1] ?? " "));
  let text = "";
  let from = 0;
  for (const at of places.toSorted((a, b) => a - b)) {
    text += `${code.slice(from, at)}\n`;
    from = at;
  }
  return text + code.slice(from);
}
