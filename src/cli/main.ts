#!/usr/bin/env node
// `npx undercroft <command>`: finds the command and runs it. Exits with 0; with 1 if a file cannot
// be read, an entry not be stored, a cache not be asked, or a directory has faults; with 2 if the
// command line is wrong, or what it names is no directory of a cache that can be read.
import { readFileSync } from "node:fs";
import { UndercroftError } from "../base/mod.js";
import { dashboard, dashboardUsage } from "./dashboard/dashboard.js";
import { importEntries, importUsage } from "./import.js";
import { inspect, inspectUsage } from "./inspect.js";
import type { Output } from "./output.js";
import { record, recordUsage } from "./record/record.js";
import { simulate, simulateUsage } from "./simulate/simulate.js";
import { top, topUsage } from "./top/top.js";
import { verify, verifyUsage } from "./verify.js";

/** A command runs, and answers the exit status. */
type Command = (words: readonly string[], output: Output) => Promise<number>;

const known: ReadonlyMap<string, { readonly run: Command; readonly usage: string }> = new Map([
  ["simulate", { run: simulate, usage: simulateUsage }],
  ["import", { run: importEntries, usage: importUsage }],
  ["inspect", { run: inspect, usage: inspectUsage }],
  ["verify", { run: verify, usage: verifyUsage }],
  ["record", { run: record, usage: recordUsage }],
  ["top", { run: top, usage: topUsage }],
  ["dashboard", { run: dashboard, usage: dashboardUsage }],
]);

const names = [...known.keys()].join(", ");
const commands = `${names}, help [command]; -h, --help; -v, --version`;

const usage = `npx undercroft <command>

${[...known.values()].map((command) => command.usage).join("\n\n")}

help [command]      -h, --help     this text, or a command's
                    -v, --version  the version of the package`;

async function main(words: readonly string[], output: Output): Promise<number> {
  try {
    return await run(words, output);
  } catch (error) {
    if (error instanceof UndercroftError) {
      output.warn(error.message);
      return 1;
    }
    if (error instanceof RangeError || error instanceof TypeError) {
      output.warn(error.message);
      return 2;
    }
    throw error;
  }
}

async function run([command, ...words]: readonly string[], output: Output): Promise<number> {
  switch (command) {
    case undefined:
      output.print(usage);
      return 2;
    case "help":
    case "--help":
    case "-h":
      output.print(helpFor(words));
      return 0;
    case "--version":
    case "-v":
      output.print(version());
      return 0;
    default: {
      const found = known.get(command);
      if (found !== undefined && asksVersion(words)) {
        output.print(version());
        return 0;
      }
      if (found !== undefined) return await found.run(words, output);
      const kind = command.startsWith("-") ? "option" : "command";
      throw new RangeError(
        `Cannot run "${command}": there is no such ${kind}; there are ${commands}`,
      );
    }
  }
}

function helpFor([command]: readonly string[]): string {
  if (command === undefined || command === "help") return usage;
  const found = known.get(command);
  if (found !== undefined) return found.usage;
  throw new RangeError(
    `Cannot help with "${command}": there is no such command; there are ${commands}`,
  );
}

/** No option takes such a word as its value; behind "--" it is a file. */
function asksVersion(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  const options = end < 0 ? words : words.slice(0, end);
  return options.includes("--version") || options.includes("-v");
}

function version(): string {
  const manifest = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { readonly version: string }).version;
}

// A reader such as `head` may have enough: then there is nobody left to write to.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
process.exitCode = await main(process.argv.slice(2), {
  print: (text) => void process.stdout.write(`${text}\n`),
  warn: (text) => void process.stderr.write(`undercroft: ${text}\n`),
});
