// `npm run proof -- <name> [--option number …] [file …]`: runs one proof and prints what it showed;
// without a name, prints the list. Exits with 1 when the proof found a fault, and with 2 when the
// line names no proof or no option of it.

import { parseArgs } from "node:util";

import { crashStatesProof } from "./crash-states.js";
import { damagedFilesProof } from "./damaged-files.js";
import { history } from "./history.js";
import { diskMutantsProof } from "./disk-mutants.js";
import { faultMatrixProof } from "./fault-matrix.js";
import { flightsProof } from "./flights.js";
import { interleave } from "./interleave.js";
import { kill } from "./kill/kill.js";
import { leak } from "./leak.js";
import { mutantsProof } from "./mutants.js";
import type { Proof } from "./proof.js";
import { replayProof } from "./replay.js";
import { sharing } from "./sharing/sharing.js";
import { streams } from "./streams.js";

const proofs: readonly Proof[] = [
  crashStatesProof,
  damagedFilesProof,
  diskMutantsProof,
  faultMatrixProof,
  flightsProof,
  history,
  interleave,
  kill,
  leak,
  mutantsProof,
  replayProof,
  sharing,
  streams,
];

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function list(): void {
  say("npm run proof -- <name> [--option number …] [file …]\n");
  for (const { name, about, options, takesFiles } of proofs) {
    const defaults = Object.entries(options).map(([option, value]) => `--${option} ${value}`);
    if (takesFiles === true) defaults.push("[file …]");
    say(`${name.padEnd(12)} ${about}\n${" ".repeat(13)}${defaults.join(" ")}`);
  }
}

/** The options of a proof on the command line, over its defaults, and the files it names. */
function optionsOf(
  proof: Proof,
  words: string[],
): { readonly options: Record<string, number>; readonly files: readonly string[] } {
  const names = Object.keys(proof.options);
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: proof.takesFiles === true,
    options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
  });
  const options = { ...proof.options };
  for (const [name, text] of Object.entries(values)) {
    const value = Number(text);
    if (!Number.isFinite(value)) throw new RangeError(`--${name} is ${text}; it must be a number`);
    options[name] = value;
  }
  return { options, files: positionals };
}

async function main([name, ...words]: string[]): Promise<number> {
  const proof = proofs.find((candidate) => candidate.name === name);
  if (proof === undefined) {
    list();
    return name === undefined ? 0 : 2;
  }
  let given: ReturnType<typeof optionsOf>;
  try {
    given = optionsOf(proof, words);
  } catch (error) {
    say(String(error));
    return 2;
  }
  const started = performance.now();
  try {
    const shown = await proof.run(given.options, say, given.files);
    say(`${proof.name}: ${shown} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    return 0;
  } catch (error) {
    say(`${proof.name}: FAULT: ${error instanceof Error ? error.stack : String(error)}`);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
