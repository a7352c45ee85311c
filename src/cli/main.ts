#!/usr/bin/env node
// `npx undercroft <command>`: finds the command and runs it. Exits with 0; with 1 if a file cannot
// be read, an entry not be stored or a cache not be asked; with 2 if the command line is wrong.
import { readFileSync } from "node:fs";
import { UndercroftError } from "../base/mod.js";
import { importEntries, importUsage } from "./import.js";
import type { Output } from "./output.js";
import { simulate, simulateUsage } from "./simulate.js";
import { top, topUsage } from "./top/top.js";

const commands = "simulate, import, top, help [command]; -h, --help; -v, --version";

const usage = `npx undercroft <command>

${simulateUsage}

${importUsage}

${topUsage}

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
    case "simulate":
      return await simulate(words, output);
    case "import":
      return await importEntries(words, output);
    case "top":
      return await top(words, output);
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
      const kind = command.startsWith("-") ? "option" : "command";
      throw new RangeError(
        `Cannot run "${command}": there is no such ${kind}; there are ${commands}`,
      );
    }
  }
}

function helpFor([command]: readonly string[]): string {
  if (command === undefined || command === "help") return usage;
  if (command === "simulate") return simulateUsage;
  if (command === "import") return importUsage;
  if (command === "top") return topUsage;
  throw new RangeError(
    `Cannot help with "${command}": there is no such command; there are ${commands}`,
  );
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
