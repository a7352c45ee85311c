// A real browser without a screen for tests, driven by its DevTools protocol over a pipe: found by
// UNDERCROFT_BROWSER or on PATH, or unpacked from Debian's packages into a folder that stays, which
// `npm run browser` does. Without one, `missing` says why.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Readable, Writable } from "node:stream";

interface Program {
  readonly path: string;
  readonly libraries: string;
}

const names = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
const folder = join(tmpdir(), "undercroft-browser");
const unpacked = join(folder, "usr/lib/chromium/chromium-headless-shell");

let reason = "";
const program = find();

/** Why there is no browser; undefined if there is one. */
export const missing: string | undefined = program === undefined ? reason : undefined;
if (missing !== undefined) {
  process.stderr.write(`\nSKIPPED: the tests of the dashboard in a browser: ${missing}\n\n`);
}

function find(): Program | undefined {
  const given = process.env["UNDERCROFT_BROWSER"];
  if (given !== undefined) return { path: given, libraries: "" };
  const onPath = (process.env["PATH"] ?? "")
    .split(delimiter)
    .flatMap((each) => names.map((name) => join(each, name)))
    .find((path) => fs.existsSync(path));
  if (onPath !== undefined) return { path: onPath, libraries: "" };
  try {
    if (!fs.existsSync(unpacked) && process.env["MODE"] === "browser") unpack();
  } catch (error) {
    reason = `Debian's packages cannot be unpacked (${String(error).split("\n", 1)[0]})`;
    return undefined;
  }
  reason = "none is on PATH; `npm run browser` unpacks Debian's (100 MB)";
  if (!fs.existsSync(unpacked)) return undefined;
  const libraries = join(folder, "usr/lib/x86_64-linux-gnu");
  return { path: unpacked, libraries: [libraries, join(libraries, "pulseaudio")].join(delimiter) };
}

/** All or nothing: another process may do the same. */
function unpack(): void {
  const partial = `${folder}.${process.pid}`;
  fs.mkdirSync(partial, { recursive: true });
  const options = { cwd: partial, stdio: "pipe", timeout: 300_000, encoding: "utf8" } as const;
  const take = (wanted: readonly string[]): void => {
    execFileSync("apt-get", ["download", ...wanted], options);
    for (const file of fs.readdirSync(partial).filter((name) => name.endsWith(".deb"))) {
      execFileSync("dpkg-deb", ["-x", file, "."], options);
      fs.rmSync(join(partial, file));
    }
  };
  try {
    take(["chromium-headless-shell", "chromium-common"]);
    // Each round may bring libraries that need more.
    for (let round = 0; round < 8; round++) {
      const more = lacking(partial);
      if (more.length === 0) break;
      take(more);
    }
    fs.renameSync(partial, folder);
  } catch (error) {
    fs.rmSync(partial, { recursive: true, force: true });
    if (!fs.existsSync(unpacked)) throw error;
  }
}

/** Packages of the libraries that the system does not have, by the names of the libraries. */
function lacking(partial: string): string[] {
  const libraries = join(partial, "usr/lib/x86_64-linux-gnu");
  const search = [libraries, join(libraries, "pulseaudio")].join(delimiter);
  const told = execFileSync("ldd", [join(partial, "usr/lib/chromium/chromium-headless-shell")], {
    encoding: "utf8",
    env: { ...process.env, LD_LIBRARY_PATH: search },
  });
  const lost = [...told.matchAll(/^\s*(lib\S+)\.so\.(\S+) => not found/gm)];
  return lost.map(([, name = "", version = ""]) => {
    const lower = name.toLowerCase();
    const usual = /\d$/.test(lower) ? `${lower}-${version}` : `${lower}${version}`;
    return usual === "libvorbis0" ? "libvorbis0a" : usual;
  });
}

interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** A browser with one page. */
export class Browser {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, (message: Message) => void>();
  /** What the page has thrown, logged as an error, or was forbidden by its policy. */
  readonly troubles: string[] = [];
  #session: string | undefined;
  #sent = 0;

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    let begun = "";
    (child.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => {
      const messages = (begun + text).split("\0");
      begun = messages.pop() ?? "";
      for (const message of messages) this.#take(JSON.parse(message) as Message);
    });
    child.stdio[3]?.on("error", () => undefined); // it has ended, which is told below
    child.once("exit", () => {
      for (const settle of this.#waiting.values()) settle({ error: { message: "it has ended" } });
      this.#waiting.clear();
    });
  }

  static async start(): Promise<Browser> {
    if (program === undefined) throw new Error(missing);
    const profile = fs.mkdtempSync(join(tmpdir(), "undercroft-profile-"));
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"];
    const child = spawn(program.path, [...flags, `--user-data-dir=${profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
      env: { ...process.env, LD_LIBRARY_PATH: program.libraries },
    });
    const browser = new Browser(child, profile);
    const { targetId } = await browser.send("Target.createTarget", { url: "about:blank" });
    const attached = await browser.send("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = attached["sessionId"] as string;
    for (const domain of ["Page", "Runtime", "Log", "Accessibility"]) {
      await browser.send(`${domain}.enable`);
    }
    return browser;
  }

  /** One command of the protocol. Rejects with what the browser says is wrong. */
  async send(method: string, params: object = {}): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#sent;
    const message = await new Promise<Message>((resolve) => {
      this.#waiting.set(id, resolve);
      const sessionId = this.#session === undefined ? {} : { sessionId: this.#session };
      const line = JSON.stringify({ id, method, params, ...sessionId });
      (this.#child.stdio[3] as Writable).write(`${line}\0`);
    });
    if (message.error !== undefined) throw new Error(`${method}: ${message.error.message}`);
    return message.result ?? {};
  }

  #take(message: Message): void {
    const { id, method, params } = message;
    if (id !== undefined) {
      this.#waiting.get(id)?.(message);
      this.#waiting.delete(id);
    } else if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded") {
      this.troubles.push(JSON.stringify(params));
    } else if (method === "Page.javascriptDialogOpening") {
      void this.send("Page.handleJavaScriptDialog", { accept: true });
    }
  }

  /** The value of an expression in the page, which may be a promise. */
  async run<T>(expression: string): Promise<T> {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", options);
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { readonly value: T }).value;
  }

  async open(url: string): Promise<void> {
    await this.send("Page.navigate", { url });
  }

  async size(width: number, height: number): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.send("Emulation.setDeviceMetricsOverride", metrics);
  }

  async scheme(value: "light" | "dark"): Promise<void> {
    const features = [{ name: "prefers-color-scheme", value }];
    await this.send("Emulation.setEmulatedMedia", { features });
  }

  /** A key of the keyboard, such as "ArrowRight". */
  async press(key: string): Promise<void> {
    for (const type of ["keyDown", "keyUp"]) {
      await this.send("Input.dispatchKeyEvent", { type, key, code: key });
    }
  }

  /** A picture of the page as a PNG file. */
  async picture(path: string): Promise<void> {
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    fs.writeFileSync(path, Buffer.from(data as string, "base64"));
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
    fs.rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10 });
  }
}
