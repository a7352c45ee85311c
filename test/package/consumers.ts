// Type-checks files as a project of a user does that has installed the package. Called by
// types.test.ts.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What a project says in its tsconfig.json beside what all say. */
export interface Consumer {
  readonly file: string;
  readonly module: string;
  readonly moduleResolution: string;
  readonly ignoreDeprecations?: string;
}

/** The errors of `text`, the only file of a strict project without TypeScript's DOM library, whose
 *  declarations are checked too. */
export function consumerFaults(consumer: Consumer, text: string): string[] {
  const directory = mkdtempSync(join(tmpdir(), "undercroft-consumer-"));
  try {
    const modules = join(directory, "node_modules");
    mkdirSync(modules);
    symlinkSync(root, join(modules, "undercroft"), "junction");
    symlinkSync(join(root, "node_modules/@types"), join(modules, "@types"), "junction");
    writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
    const { file, ...resolution } = consumer;
    writeFileSync(join(directory, file), text);
    const { options, errors } = ts.convertCompilerOptionsFromJson(
      {
        target: "es2023",
        lib: ["es2023"],
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
        ...resolution,
      },
      directory,
    );
    const program = ts.createProgram([join(directory, file)], {
      ...options,
      typeRoots: [join(modules, "@types")],
    });
    return [...errors, ...ts.getPreEmitDiagnostics(program)].map(
      ({ code, messageText }) => `TS${code}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
