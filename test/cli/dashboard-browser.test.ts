// The page of `undercroft dashboard` in a real browser: every view, the keyboard, the form, narrow
// and dark. UNDERCROFT_PICTURES names a folder for pictures of each view.
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Browser, missing } from "./browser.js";
import { Processes } from "./dashboard-process.js";

const views = ["overview", "namespaces", "policy", "segments", "threads", "keys", "tags"];

let folder: string;
let processes: Processes;
let browser: Browser;
let cache: { tell(line: string): Promise<void> };
let url: string;

const text = (selector: string): Promise<string> =>
  browser.run(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ""`);
const panel = (): Promise<string> => text("#panel");
const seen = (selector: string): Promise<boolean> =>
  browser.run(`document.querySelector(${JSON.stringify(selector)}).checkVisibility()`);
const click = (selector: string): Promise<void> =>
  browser.run(`document.querySelector(${JSON.stringify(selector)}).click()`);
const type = (selector: string, value: string): Promise<void> =>
  browser.run(`void (document.querySelector(${JSON.stringify(selector)}).value =
    ${JSON.stringify(value)})`);

async function show(view: string): Promise<string> {
  await click(`#tab-${view}`);
  return panel();
}

describe.skipIf(missing !== undefined)("in a browser", () => {
  beforeAll(async () => {
    folder = fs.mkdtempSync(join(tmpdir(), "undercroft-dashboard-"));
    processes = new Processes(folder);
    const path = join(folder, "cache");
    cache = await processes.cache({ name: "patterns", disk: { path, capacity: "16mb" } });
    ({ url } = await processes.dashboard([path, "--names", "--write"]));
    browser = await Browser.start();
    await browser.size(1000, 900);
    await browser.open(url);
  }, 120_000);
  afterAll(async () => {
    if (browser !== undefined) await browser.end();
    await processes.end();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  test("shows each view with the cache's numbers", async () => {
    await expect.poll(() => text("#name"), { timeout: 30_000 }).toBe("patterns");
    await cache.tell("attach");
    await expect.poll(panel, { timeout: 30_000 }).toMatch(/40\.0 % in all/);
    const overview = await panel();
    for (const title of ["Hit ratio", "Load latency", "Memory in use", "Disk in use", "Evictions"])
      expect(overview).toContain(title);
    const lines = "document.querySelectorAll('.plot polyline').length";
    await expect.poll(() => browser.run<number>(lines), { timeout: 30_000 }).toBeGreaterThan(5);
    const styles = `[...document.querySelectorAll(".plot polyline")].map((line) =>
      getComputedStyle(line).fill + " " + (getComputedStyle(line).stroke === "none"))`;
    expect(new Set(await browser.run<string[]>(styles))).toEqual(new Set(["none false"]));
    expect(await seen("#key-form")).toBe(false);
    expect(await seen("#ranges")).toBe(true);
    expect(await show("namespaces")).toMatch(/users\s+\d+ B\s+2\.0 MiB\s+–\s+1\s/);
    expect(await show("policy")).toMatch(/eviction: auto[^]*victim\s+share[^]*smallShare\s+0\.1/);
    const segments = await show("segments");
    expect(segments).toMatch(/Memory segments[^]*free\s+open\s+sealed[^]*Disk segments/);
    expect(segments).not.toContain("no disk");
    expect(await show("threads")).toMatch(/2 of 64 attached[^]*thread 0\s+0\s+[\d,]+\s+[\d.]+ %/);
    expect(await show("keys")).toMatch(/7\s+users[^]*from the other\s+\(the cache's own\)/);
    expect(await show("tags")).toMatch(/0 of [\d,]+ remembered, 0\.0 %/);
    expect(await text("#about")).toMatch(/^pid \d+ · open \d+ s · v\d/);
  });

  test("shows what happens meanwhile, without a click", async () => {
    await show("overview");
    await cache.tell("read");
    const label = (): Promise<string> =>
      browser.run(`document.querySelector('svg[aria-label^="Requests per second"]')
        .getAttribute("aria-label")`);
    await expect.poll(label, { timeout: 30_000 }).toMatch(/0 to [1-9]/);
    await click("#panel details summary");
    await expect.poll(() => text("#panel details[open] table")).toMatch(/\d+:\d+/);
  });

  test("is walked through by keyboard, and named for who does not see it", async () => {
    await show("overview");
    await browser.run(`document.querySelector("#tab-overview").focus()`);
    for (const view of [...views.slice(1), "overview"]) {
      await browser.press("ArrowRight");
      expect(await browser.run(`document.activeElement.id`)).toBe(`tab-${view}`);
      expect(await browser.run(`document.activeElement.ariaSelected`)).toBe("true");
      const { nodes } = (await browser.send("Accessibility.getFullAXTree")) as {
        nodes: readonly { role?: { value: string }; name?: { value: string }; ignored: boolean }[];
      };
      const named = ["image", "combobox", "textbox", "button", "tab", "progressbar", "region"];
      const nameless = nodes.filter(
        ({ role, name, ignored }) =>
          !ignored && named.includes(role?.value ?? "") && (name?.value ?? "") === "",
      );
      expect([view, nameless]).toEqual([view, []]);
    }
    await browser.press("End");
    expect(await browser.run(`document.activeElement.id`)).toBe("tab-tags");
  });

  test("looks up, expires and deletes a key", async () => {
    await show("keys");
    const answer = (): Promise<string> => text("#answer");
    const button = (name: string): Promise<void> =>
      browser.run(`[...document.querySelectorAll("#key-form button")]
        .find(({ textContent }) => textContent === "${name}").click()`);
    expect(await seen("#key-form")).toBe(true);
    expect(await seen("#ranges")).toBe(false);
    await type("#key", "7");
    await button("Look up");
    await expect.poll(answer, { timeout: 30_000 }).toMatch(/own\): absent$/);
    await type("#namespace", "users");
    await button("Look up");
    await expect.poll(answer, { timeout: 30_000 }).toMatch(/users: found in \w+, \d+ B, stored/);
    expect(await answer()).not.toContain("Ada");
    await button("Expire");
    await expect.poll(answer, { timeout: 30_000 }).toMatch(/users: expired$/);
    await button("Look up");
    await expect.poll(answer, { timeout: 30_000 }).toMatch(/users: absent$/);
    await type("#namespace", "");
    await type("#key", "loaded");
    await button("Delete");
    await expect.poll(answer, { timeout: 30_000 }).toMatch(/own\): deleted$/);
  });

  test.each(["light", "dark"] as const)("is narrow, and readable in %s", async (scheme) => {
    await browser.scheme(scheme);
    await browser.size(400, 800);
    for (const view of views) {
      await show(view);
      const beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
      expect([view, await browser.run(beyond)]).toEqual([view, 0]);
      expect([view, await browser.run<readonly string[]>(faintTexts)]).toEqual([view, []]);
      const pictures = process.env["UNDERCROFT_PICTURES"];
      if (pictures !== undefined) await browser.picture(join(pictures, `${view}-${scheme}.png`));
    }
  });

  test("says that the cache was closed, and never breaks its own policy", async () => {
    await cache.tell("close");
    await expect.poll(() => text("#trouble"), { timeout: 30_000 }).toContain("ended");
    const refused = browser.troubles.filter((each) => !each.includes("ERR_CONNECTION_REFUSED"));
    expect(refused).toEqual([]);
  });
});

/** Texts whose contrast to what is behind them is less than 4.5 to 1. */
const faintTexts = `(() => {
  const rgb = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => rgb(color).slice(0, 3)
    .map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    for (let each = element; each !== null; each = each.parentElement) {
      const color = getComputedStyle(each).backgroundColor;
      if ((rgb(color)[3] ?? 1) > 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!hasText || element.checkVisibility() === false) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push(element.textContent.slice(0, 30) + " " + contrast.toFixed(2));
  }
  return faint;
})()`;
