// The page of `undercroft dashboard`: asks its server each second and draws what it says. Loaded by
// page.html. Texts of the cache (names, keys) get into the page as text nodes only.
import { asked } from "./ask.js";
import { chart, element, legend, map, table } from "./draw.js";
import { bytes, count, duration, part, percent, spaceName, time } from "./words.js";

const pointsMax = { seconds: 300, coarse: 360 };
const points = { seconds: [], coarse: [] };
let range = "seconds";
let view;
let shown = "overview";

// Views.

const heading = (text) => element("h2", {}, text);
const soft = (text) => element("p", { class: "soft" }, text);
const tile = (label, value, more = "") =>
  element("div", { class: "tile" }, label, element("b", {}, value), more);

const charts = [
  ["Hit ratio", percent, [["hit ratio", (p) => p.hitRatio]], 1],
  ["Requests per second", count, [["requests", (p) => p.requests]]],
  [
    "Loads per second",
    count,
    [
      ["loads", (p) => p.loads],
      ["waited for others", (p) => p.waited],
      ["failed", (p) => p.loadErrors],
    ],
  ],
  [
    "Memory hit latency",
    time,
    [
      ["p50", (p) => p.hitP50],
      ["p99", (p) => p.hitP99],
    ],
  ],
  [
    "Load latency",
    time,
    [
      ["p50", (p) => p.loadP50],
      ["p99", (p) => p.loadP99],
    ],
  ],
  ["Memory in use", bytes, [["memory", (p) => p.memoryBytes]], () => view.stats.memory.limitBytes],
  ["Disk in use", bytes, [["disk", (p) => p.diskBytes]], () => view.stats.disk?.limitBytes],
  [
    "Evictions per second by what had no room",
    count,
    [
      ["memory", (p) => p.evictedMemory],
      ["disk", (p) => p.evictedDisk],
      ["index", (p) => p.evictedIndex],
    ],
  ],
  ["Expirations per second", count, [["expired", (p) => p.expired]]],
];

function overview() {
  const { windows, stats, troubles } = view;
  const recent = windows["60"] ?? windows.open;
  const rate = (number) => count(number / recent.seconds);
  const wrong = Object.entries(troubles).filter(([, number]) => number > 0);
  const tiles = [
    tile("Hit ratio, 60 s", percent(recent.hitRatio), `${percent(windows.open.hitRatio)} in all`),
    tile("Requests/s", rate(recent.requests), `${rate(recent.loads)} loads/s`),
    tile("Memory", bytes(stats.memory.usedBytes), `of ${bytes(stats.memory.limitBytes)}`),
    stats.disk === null
      ? tile("Disk", "none")
      : tile("Disk", bytes(stats.disk.bytes), `of ${bytes(stats.disk.limitBytes)}`),
    tile("Entries", count(stats.memory.entries), `${count(stats.disk?.entries ?? 0)} on disk only`),
    tile("Disk tier", stats.disk?.state ?? "none", `${stats.tiers?.down ?? 0} tiers down`),
  ];
  const drawn = charts
    .filter(([title]) => stats.disk !== null || title !== "Disk in use")
    .map(([title, show, lines, most]) =>
      chart(title, points[range], lines, show, typeof most === "function" ? most() : most),
    );
  return [
    element("div", { class: "tiles" }, ...tiles),
    wrong.length === 0
      ? soft("No failed loads, refused sets, disk errors or damage since it was opened.")
      : element("p", {}, `Since it was opened: ${wrong.map((each) => each.join(" ")).join(", ")}`),
    element("div", { class: "charts" }, ...drawn),
  ];
}

function namespaces() {
  const rows = view.spaces.map((space) => [
    spaceName(space.name),
    bytes(space.memory.bytes),
    space.memory.shareBytes === 0 ? "–" : bytes(space.memory.shareBytes),
    space.diskShareBytes === 0 ? "–" : bytes(space.diskShareBytes),
    count(space.memory.entries),
    percent(space.hitRatio60),
    count(space.requests60),
    count(space.requests),
    count(space.loads),
    count(space.evicted),
  ]);
  const head = ["namespace", "memory", "share", "disk share", "entries", "hits 60 s", "asked 60 s"];
  return [heading("Namespaces"), table([...head, "asked", "loads", "evicted"], rows)];
}

function policy() {
  const { name, worth, setting } = view.details.policy;
  const { samples, dropped, changes } = view.stats.tuning;
  const { toMain, demotions, promotions, reinsertions, preloads } = view.stats.moves;
  return [
    heading("Policy"),
    element("p", {}, `Option eviction: ${name}. A hit is worth: ${worth}.`),
    table(
      ["setting in force", "value"],
      Object.entries(setting).map(([field, value]) => [field, String(value)]),
    ),
    heading("Tuner"),
    soft(
      name === "auto"
        ? "It tries settings on sampled requests and gives the cache the best."
        : `The policy is ${name}, so the setting stays.`,
    ),
    table(
      ["since it was opened", "count"],
      [
        ["sampled requests used", count(samples)],
        ["samples dropped", count(dropped)],
        ["changes of the setting", count(changes)],
        ["entries to the main log, or within it", count(toMain)],
        ["from memory to their disk copy", count(demotions)],
        ["from disk to memory", count(promotions)],
        ["written again on disk", count(reinsertions)],
        ["preloaded after open", count(preloads)],
      ],
    ),
  ];
}

const states = ["free", "open", "sealed", "other"];

function segmentMap(title, where, more) {
  if (where === null) return [heading(title), soft("The cache has no disk.")];
  const sums = [0, 1, 2, 3, 4, 5].map((column) =>
    where.cells.reduce((sum, cell) => sum + cell[column], 0),
  );
  const [used, live] = sums.slice(4);
  const words = states.map((state, index) => `${sums[index]} ${state}`).join(", ");
  return [
    heading(title),
    map(`${title}: ${words}; ${part(live, used)} of what is used lives`, where),
    legend(states),
    table(
      ["segments", ...states, "used", "live", "live share"],
      [
        [
          `${where.segments} of ${bytes(where.segmentBytes)}`,
          ...sums.slice(0, 4).map(String),
          bytes(used),
          bytes(live),
          part(live, used),
        ],
      ],
    ),
    soft(`${where.perCell === 1 ? "A cell is a segment" : `A cell is ${where.perCell} segments`}, \
filled as far as it is used, the stronger the more of that lives. ${more}`),
  ];
}

function segments() {
  const { memory, disk } = view.details;
  return [
    ...segmentMap("Memory segments", memory, "Other: being evicted, blocked, or out of use."),
    ...segmentMap(
      "Disk segments",
      disk,
      "Other: being reclaimed, or set aside after a fault. Live: what was not deleted; what was " +
        "evicted or has expired may be among it.",
    ),
  ];
}

function threads() {
  const rows = view.details.threads.map((thread) => [
    thread.isPool ? `worker of the cache ${thread.workerId}` : `thread ${thread.workerId}`,
    String(thread.id),
    count(thread.requests),
    part(thread.hits, thread.requests),
    count(thread.loads),
    count(thread.sets),
  ]);
  const { attached, recovered } = view.stats.threads;
  return [
    heading("Threads"),
    soft(`${attached} of 64 attached; ${recovered} died and were recovered. The numbers are of \
the id, with those who had it before.`),
    table(["thread", "id", "requests", "hits", "loads", "sets"], rows),
  ];
}

function tags() {
  const { tracked, capacity, invalidated, sweeps, waits, overflows } = view.stats.tags;
  return [
    heading("Tags"),
    element(
      "p",
      {},
      `${count(tracked)} of ${count(capacity)} remembered, ${part(tracked, capacity)}.`,
    ),
    element("progress", {
      max: capacity,
      value: tracked,
      "aria-label": "Invalidated tags remembered",
    }),
    soft("They fill up while sweeps are late; then deleteByTag waits."),
    table(
      ["since it was opened", "count"],
      [
        ["tags invalidated", count(invalidated)],
        ["sweeps", count(sweeps)],
        ["calls that waited", count(waits)],
        ["overflows", count(overflows)],
      ],
    ),
  ];
}

function keys() {
  const rows = view.keys.map(({ hash, namespace, samples, key }) => [
    key ?? `#${hash}`,
    spaceName(namespace),
    part(samples, view.keySamples),
    String(samples),
  ]);
  return [
    heading("Hottest keys"),
    soft(`Of ${view.keySamples} sampled requests of the last minute.`),
    table(["key", "namespace", "part", "samples"], rows),
  ];
}

const views = { overview, namespaces, policy, segments, threads, keys, tags };

// The form.

/** Made once, so that what is typed stays while the rest is drawn anew. */
function keyForm() {
  const namespace = element("select", { id: "namespace" });
  const key = element("input", { id: "key", required: "", maxlength: 2000, autocomplete: "off" });
  const answer = element("p", { role: "status", id: "answer" });
  const button = (act, label) => {
    const made = element("button", { type: act === "look" ? "submit" : "button" }, label);
    if (act !== "look") made.addEventListener("click", () => void ask(act));
    return made;
  };
  const ask = async (act) => {
    if (key.value === "") return key.focus();
    const what = `“${key.value}” in ${spaceName(namespace.value)}`;
    if (act !== "look" && !confirm(`Really ${act} ${what}?`)) return;
    answer.textContent = "…";
    answer.textContent = `${what}: ${await asked(act, namespace.value, key.value)}`;
  };
  const form = element(
    "form",
    { id: "key-form", hidden: "", "aria-label": "One key" },
    element("label", {}, "Namespace ", namespace),
    element("label", {}, "Key ", key),
    button("look", "Look up"),
    button("expire", "Expire"),
    button("delete", "Delete"),
    answer,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void ask("look");
  });
  const refresh = () => {
    form.hidden = !view.write || shown !== "keys";
    const names = view.spaces.map(({ name }) => name);
    const known = [...namespace.options].map(({ value }) => value);
    for (const name of names.filter((each) => !known.includes(each))) {
      namespace.append(element("option", { value: name }, spaceName(name)));
    }
  };
  return { form, refresh };
}

// Tabs.

const $ = (id) => document.getElementById(id);
const panel = element("div", { role: "tabpanel", id: "panel", tabindex: 0 });
const form = keyForm();
const ranges = element(
  "label",
  { id: "ranges" },
  "Charts show ",
  element(
    "select",
    {},
    element("option", { value: "seconds" }, "the last 5 minutes"),
    element("option", { value: "coarse" }, "the last hour"),
  ),
);

function select(name, focus = false) {
  shown = name;
  for (const tab of $("tabs").children) {
    const isSelected = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(isSelected));
    tab.tabIndex = isSelected ? 0 : -1;
    if (isSelected && focus) tab.focus();
  }
  panel.setAttribute("aria-labelledby", `tab-${name}`);
  draw();
}

function makeTabs() {
  const names = Object.keys(views);
  for (const name of names) {
    const label = `${name[0].toUpperCase()}${name.slice(1)}`;
    const tab = element(
      "button",
      { role: "tab", id: `tab-${name}`, "aria-controls": "panel", type: "button" },
      label,
    );
    tab.addEventListener("click", () => select(name));
    $("tabs").append(tab);
  }
  $("tabs").addEventListener("keydown", (event) => {
    const at = names.indexOf(shown);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    select(names.at(to % names.length), true);
  });
  ranges.querySelector("select").addEventListener("change", (event) => {
    range = event.target.value;
    draw();
  });
  $("views").append(ranges, form.form, panel);
  select("overview");
}

function draw() {
  if (view === undefined) return;
  // A table that is open, or scrolled, stays so.
  const open = [...panel.querySelectorAll("details[open]")].map(({ dataset }) => dataset.of);
  const left = [...panel.querySelectorAll(".scroll")].map(({ scrollLeft }) => scrollLeft);
  const focused = panel.contains(document.activeElement)
    ? document.activeElement.closest("details")?.dataset.of
    : undefined;
  panel.replaceChildren(...views[shown]());
  for (const details of panel.querySelectorAll("details")) {
    details.open = open.includes(details.dataset.of);
    if (details.dataset.of === focused) details.querySelector("summary").focus();
  }
  for (const [index, each] of panel.querySelectorAll(".scroll").entries()) {
    each.scrollLeft = left[index] ?? 0;
  }
  ranges.hidden = shown !== "overview";
  form.refresh();
}

// The clock.

function take(next) {
  view = next;
  for (const kind of ["seconds", "coarse"]) {
    points[kind] = [...points[kind], ...next[kind]].slice(-pointsMax[kind]);
  }
  const where = next.path ?? "memory only";
  $("name").textContent = document.title = next.name;
  $("about").textContent =
    `pid ${next.pid} · open ${duration(next.openMs)} · ${next.node} · ${where}`;
  const silent = next.silentMs > 3000;
  say(silent ? `The cache has not answered for ${duration(next.silentMs)}.` : "");
}

function say(trouble) {
  if ($("trouble").textContent !== trouble) $("trouble").textContent = trouble;
}

async function tick() {
  try {
    const response = await fetch(`data?since=${points.seconds.at(-1)?.atMs ?? 0}`);
    if (response.ok) {
      take(await response.json());
      draw();
    } else if (response.status !== 503) say(await response.text());
  } catch {
    say("The dashboard has ended, or the cache was closed.");
  }
}

makeTabs();
await tick();
setInterval(() => {
  if (!document.hidden) void tick();
}, 1000);
