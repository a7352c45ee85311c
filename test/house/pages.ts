// What can be read from a page of Markdown: its code blocks, its tables by heading, its links. Used
// by the tests that hold docs/ to the code.

export interface Block {
  /** The word after the opening fence, such as "ts". */
  readonly language: string;
  readonly code: string;
}

export interface Row {
  /** The texts of the headings above it, without marks. */
  readonly section: string;
  readonly subsection: string;
  readonly cells: readonly string[];
}

/** The fenced blocks of a page. */
export function blocksOf(page: string): Block[] {
  return Array.from(page.matchAll(/^```(\w*)\n(.*?)^```$/gms), (match) => ({
    language: match[1] ?? "",
    code: match[2] ?? "",
  }));
}

/** The rows of the tables of a page, without their heads. */
export function rowsOf(page: string): Row[] {
  const rows: Row[] = [];
  let [section, subsection] = ["", ""];
  for (const line of withoutBlocks(page).split("\n")) {
    const heading = /^(##|###) (.+)$/.exec(line);
    if (heading?.[1] === "##") [section, subsection] = [heading[2] ?? "", ""];
    if (heading?.[1] === "###") subsection = heading[2] ?? "";
    if (!line.startsWith("|")) continue;
    const cells = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (cells.every((cell) => /^:?-+:?$/.test(cell)))
      rows.pop(); // what came before is the head
    else rows.push({ section, subsection, cells });
  }
  return rows;
}

/** The anchors of a page, as GitHub makes them from its headings. */
export function anchorsOf(page: string): string[] {
  const headings = withoutBlocks(page).matchAll(/^#+ (.+)$/gm);
  return Array.from(headings, (match) =>
    (match[1] ?? "")
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Number}_ -]/gu, "")
      .replace(/ /g, "-"),
  );
}

/** The targets of a page's links that are no addresses of the web. */
export function linksOf(page: string): string[] {
  const links = withoutBlocks(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g);
  return Array.from(links, (match) => match[1] ?? "");
}

function withoutBlocks(page: string): string {
  return page.replace(/^```\w*\n.*?^```$/gms, "");
}
