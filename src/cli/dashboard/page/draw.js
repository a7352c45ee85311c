// Elements, tables, charts and maps of the page. Used by page.js.
const svgSpace = "http://www.w3.org/2000/svg";
const classes = ["a", "b dashes", "c dots"];
/** Rows of a chart's table. */
const rowsMax = 12;
const width = 300;
const height = 100;

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Texts become text nodes. */
export function element(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return filled(document.createElementNS(svgSpace, name), attributes, children);
}

/** A table that scrolls by itself where it is too wide. */
export function table(head, rows) {
  const cells = (kind, texts, more = {}) => texts.map((text) => element(kind, more, text));
  const made = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...cells("th", head, { scope: "col" }))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells("td", row)))),
  );
  const named = { class: "scroll", tabindex: 0, role: "region", "aria-label": `Table: ${head[0]}` };
  return element("div", named, made);
}

/** Lines over time, with their words and a table. `lines` are names and how to read a point. */
export function chart(title, points, lines, show, limit) {
  const values = lines.map(([, read]) => points.map(read));
  const numbers = values.flat().filter((value) => value !== null);
  const most = Math.max(limit ?? 0, ...numbers) || 1;
  const first = points[0]?.atMs ?? 0;
  const span = Math.max(1, (points.at(-1)?.atMs ?? 1) - first);
  const words = lines.map(([name], line) => `${name} ${rangeWords(values[line], show)}`);
  const drawn = values.flatMap((each, line) => {
    const place = (value, index) =>
      `${(((points[index].atMs - first) / span) * width).toFixed(1)},${(
        height -
        1 -
        (value / most) * (height - 2)
      ).toFixed(1)}`;
    return runsOf(each, place).map((run) =>
      svg("polyline", { class: classes[line], points: run.join(" ") }),
    );
  });
  const plot = svg(
    "svg",
    {
      class: "plot",
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `${title}: ${words.join("; ")}`,
    },
    svg("path", { class: "axis", d: `M0 0H${width}M0 ${height}H${width}` }),
    ...drawn,
  );
  const caption = lines.flatMap(([name], line) => [
    lineKey(classes[line]),
    `${name} ${show(values[line].at(-1) ?? null)}${line < lines.length - 1 ? " · " : ""}`,
  ]);
  const minutes = Math.round(span / 60_000);
  const over = minutes < 2 ? `${Math.round(span / 1000)} s` : `${minutes} min`;
  return element(
    "figure",
    {},
    element("strong", {}, title),
    plot,
    element(
      "figcaption",
      {},
      ...caption,
      ` · ${numbers.length === 0 ? "no data" : `top ${show(most)}`} · ${over}`,
    ),
    numbersOf(title, points, lines, show),
  );
}

/** Points in a row that have a value; a single one is drawn as a dot. */
function runsOf(values, place) {
  const runs = [];
  let run;
  for (const [index, value] of values.entries()) {
    if (value === null) run = undefined;
    else if (run === undefined) runs.push((run = [place(value, index), place(value, index)]));
    else run.push(place(value, index));
  }
  return runs;
}

function rangeWords(values, show) {
  const numbers = values.filter((value) => value !== null);
  if (numbers.length === 0) return "no data";
  const now = show(values.at(-1) ?? null);
  return `now ${now}, ${show(Math.min(...numbers))} to ${show(Math.max(...numbers))}`;
}

function lineKey(style) {
  return svg(
    "svg",
    { class: "key", viewBox: "0 0 20 8", "aria-hidden": "true" },
    svg("polyline", { class: style, points: "0,4 20,4" }),
  );
}

function numbersOf(title, points, lines, show) {
  const step = Math.max(1, Math.ceil(points.length / rowsMax));
  const rows = points
    .filter((_, index) => (points.length - 1 - index) % step === 0)
    .map((point) => [
      new Date(point.atMs).toLocaleTimeString(),
      ...lines.map(([, read]) => show(read(point))),
    ]);
  const head = ["time", ...lines.map(([name]) => name)];
  return element(
    "details",
    { "data-of": title },
    element("summary", {}, "Numbers"),
    table(head, rows),
  );
}

const fills = ["free", "b", "a", "c"];

/** Segments as cells: filled as far as they are used, and stronger the more of that lives. */
export function map(label, { cells, segmentBytes, perCell }) {
  const columns = Math.max(8, Math.min(32, Math.ceil(Math.sqrt(cells.length * 2))));
  const rows = Math.ceil(cells.length / columns);
  const drawn = cells.flatMap((cell, index) => {
    const [x, y] = [(index % columns) * 10 + 0.5, Math.floor(index / columns) * 10 + 0.5];
    const state = [3, 1, 2, 0].find((each) => cell[each] > 0);
    const tall = 9 * Math.min(1, cell[4] / (segmentBytes * perCell));
    const opacity = cell[4] > 0 ? 0.25 + 0.75 * Math.min(1, cell[5] / cell[4]) : 1;
    const frame = svg("rect", { class: "free", x, y, width: 9, height: 9 });
    if (state === 0 || tall === 0) return [frame];
    const place = { x, y: y + 9 - tall, width: 9, height: tall };
    return [frame, svg("rect", { class: fills[state], ...place, "fill-opacity": opacity })];
  });
  const viewBox = `0 0 ${columns * 10} ${rows * 10}`;
  return svg("svg", { viewBox, role: "img", "aria-label": label }, ...drawn);
}

export function legend(states) {
  const keys = states.flatMap((state, index) => [
    svg(
      "svg",
      { class: "key", viewBox: "0 0 20 8", "aria-hidden": "true" },
      svg("rect", { class: fills[index], x: 0.5, y: 0.5, width: 19, height: 7 }),
    ),
    `${state} `,
  ]);
  return element("p", {}, ...keys);
}
