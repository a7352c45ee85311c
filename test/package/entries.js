// What each entry of the package is where it is installed. Called by install.js.
import { execFileSync } from "node:child_process";
import { readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** The entries by the names that users import. */
export function entries({ name, exports }) {
  return Object.entries(exports)
    .filter(([, target]) => typeof target === "object")
    .map(([path]) => `${name}${path.slice(1)}`);
}

/** CPU milliseconds that a worker thread takes to import an entry: the least of 15, as others use the machine too. */
export function importMs(project, name) {
  const inside = `const { parentPort } = require("node:worker_threads");
const start = process.cpuUsage();
import(${JSON.stringify(name)}).then(() => {
  const { user, system } = process.cpuUsage(start);
  parentPort.postMessage((user + system) / 1000);
});`;
  const program = `const { Worker } = require("node:worker_threads");
const once = () => new Promise((resolve, reject) => {
  const worker = new Worker(${JSON.stringify(inside)}, { eval: true });
  worker.once("error", reject).once("message", (ms) => worker.terminate().then(() => resolve(ms)));
});
(async () => {
  let least = Infinity;
  for (let run = 0; run < 15; run++) least = Math.min(least, await once());
  process.stdout.write(String(least));
})();`;
  const printed = execFileSync(process.execPath, ["-e", program], {
    cwd: project,
    encoding: "utf8",
    timeout: 120_000,
  });
  return Number(printed);
}

/** The bytes of the files under a folder. */
export function installedBytes(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

const ways = [
  { file: "types.mts", module: "node16", moduleResolution: "node16" },
  { file: "types.cts", module: "node16", moduleResolution: "node16" },
  { file: "types.mts", module: "nodenext", moduleResolution: "nodenext" },
  { file: "types.cts", module: "nodenext", moduleResolution: "nodenext" },
  { file: "types.ts", module: "esnext", moduleResolution: "bundler" },
];

/** What TypeScript says of a strict project that imports all entries and checks their declarations. */
export function typeFaults(project, types, names) {
  symlinkSync(types, join(project, "node_modules/@types"), "junction");
  const text = names
    .map(
      (name, index) =>
        `import * as e${index} from "${name}";\nexport const v${index} = e${index};\n`,
    )
    .join("");
  return ways.flatMap(({ file, ...resolution }) => {
    const path = join(project, file);
    writeFileSync(path, text);
    const { options } = ts.convertCompilerOptionsFromJson(
      {
        target: "es2023",
        lib: ["es2023"],
        types: ["node"],
        strict: true,
        skipLibCheck: false,
        noEmit: true,
        ...resolution,
      },
      project,
    );
    const program = ts.createProgram([path], options);
    return ts
      .getPreEmitDiagnostics(program)
      .map(
        ({ code, messageText }) =>
          `${file}, ${resolution.module}: TS${code}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
      );
  });
}
