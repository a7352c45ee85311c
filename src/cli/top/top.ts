// `undercroft top`: shows what a running cache does, each second. Called by main.ts. Invariant: the
// terminal is left as it was found, whatever ends the command.
import { elapsedMs } from "../../base/mod.js";
import { type Connection, NoAnswer, protocolVersion, type Sample } from "../../operators/mod.js";
import type { Output } from "../output.js";
import { screenOf } from "./screen.js";
import { connect } from "./target.js";
import { type TopOptions, topOptions } from "./top-options.js";
import { answerTimeoutMs, endWords, pause } from "./waiting.js";
import { History, windowSeconds } from "./windows.js";

export const topUsage = `top [directory|name]  what a running cache does, each second; q ends it
  --once            one display, after a second; also if the output is no terminal
  --json            a line of JSON in place of each display: pid, name, path, openMs, stats, keys
                    and windows { "1", "10", "60", "open" }, what happened in so many seconds
  --keys 10         how many of the hottest keys, 0 to 50
  --names           the keys themselves in place of their hashes
  --pid 1234        which process, if several have a cache of that name
A cache with a disk is found by its directory, by the user that opened it. One without is found by
its name, if it was opened with operators: true.`;

/** q, Ctrl-C and Ctrl-D. */
const endKeys = ["q", "Q", "\u0003", "\u0004"];

/** Runs the command. Returns the exit status: 1 if the cache was closed meanwhile. */
export async function top(words: readonly string[], output: Output): Promise<number> {
  const options = topOptions(words);
  if (options.help) {
    output.print(topUsage);
    return 0;
  }
  const connection = await connect(options);
  const isScreen = process.stdout.isTTY && !options.once && !options.json;
  const isOnce = options.once || (!process.stdout.isTTY && !options.json);
  try {
    return await (isScreen ? onScreen : asLines)(connection, options, output, isOnce);
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    output.warn(endWords[error.kind]);
    return 1;
  } finally {
    connection.end();
  }
}

async function ask(connection: Connection, { keys, names }: TopOptions): Promise<Sample> {
  const question = { v: protocolVersion, keys, names, details: false } as const;
  const answer = await connection.ask(question, answerTimeoutMs);
  if ("error" in answer) throw new RangeError(`Cannot show the cache: it refuses: ${answer.error}`);
  return answer;
}

/** Prints a display or a line of JSON, once or each second until the cache ends. */
async function asLines(
  connection: Connection,
  options: TopOptions,
  output: Output,
  isOnce: boolean,
): Promise<number> {
  const history = new History();
  history.add(await ask(connection, options), elapsedMs());
  for (;;) {
    await pause();
    const sample = await ask(connection, options);
    history.add(sample, elapsedMs());
    output.print(options.json ? jsonOf(sample, history) : screenOf(sample, history).join("\n"));
    if (isOnce) return 0;
  }
}

function jsonOf(sample: Sample, history: History): string {
  const windows = Object.fromEntries(
    windowSeconds.map((seconds) => [seconds, history.within(seconds) ?? null]),
  );
  return JSON.stringify({ ...sample, windows: { ...windows, open: history.within(Infinity) } });
}

/** Shows the display over and over until q, Ctrl-C or the end of the cache. */
async function onScreen(connection: Connection, options: TopOptions): Promise<number> {
  const { stdin, stdout } = process;
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const onKey = (text: string): void => {
    if (endKeys.some((key) => text.includes(key))) end();
  };
  const isRaw = stdin.isTTY;
  if (isRaw) stdin.setRawMode(true).setEncoding("utf8").on("data", onKey);
  process.once("SIGINT", end).once("SIGTERM", end);
  stdout.write("\x1b[?1049h\x1b[?25l"); // another screen, without a cursor
  try {
    await showing(connection, options, ending.signal);
    return 0;
  } finally {
    stdout.write("\x1b[?25h\x1b[?1049l");
    process.off("SIGINT", end).off("SIGTERM", end);
    if (isRaw) stdin.setRawMode(false).off("data", onKey).pause();
  }
}

async function showing(
  connection: Connection,
  options: TopOptions,
  signal: AbortSignal,
): Promise<void> {
  const history = new History();
  let silentMs = 0;
  while (!signal.aborted) {
    try {
      const sample = await ask(connection, options);
      history.add(sample, elapsedMs());
      silentMs = 0;
      draw(screenOf(sample, history));
    } catch (error) {
      if (!(error instanceof NoAnswer) || error.kind !== "silent") throw error;
      silentMs += answerTimeoutMs;
      process.stdout.write(`\x1b[H\x1b[7m no answer for ${silentMs / 1000} s \x1b[0m`);
    }
    await pause(signal);
  }
}

/** Writes over the display before; a line that is too long is cut, and so is the end. */
function draw(lines: readonly string[]): void {
  const { columns, rows } = process.stdout;
  // A terminal that does not say its size has 0.
  const shown = lines.slice(0, (rows || 60) - 1).map((line) => line.slice(0, columns || 120));
  process.stdout.write(`\x1b[H${shown.join("\x1b[K\n")}\x1b[K\x1b[J`);
}
