#!/usr/bin/env node
// `npx undercroft <command>`: finds the command and runs it. Exits with 0; with 1 if a file cannot
// be read; with 2 if the command line is wrong.
import { UndercroftError } from "../base/mod.js";
import type { Output } from "./output.js";
import { simulate, simulateUsage } from "./simulate.js";

const usage = `npx undercroft <command>\n\n${simulateUsage}`;

async function main([command, ...words]: string[], output: Output): Promise<number> {
  const asksHelp = command === undefined || command === "help" || command === "--help";
  if (asksHelp) {
    output.print(usage);
    return command === undefined ? 2 : 0;
  }
  try {
    if (command === "simulate") return await simulate(words, output);
    throw new RangeError(`Cannot run "${command}": there is no such command; use simulate`);
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

process.exitCode = await main(process.argv.slice(2), {
  print: (text) => void process.stdout.write(`${text}\n`),
  warn: (text) => void process.stderr.write(`undercroft: ${text}\n`),
});
