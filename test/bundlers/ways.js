// How each bundler is asked for a whole bundle of app.js and thread.js. A way gets the folder with the sources and one to
// write to, and answers the extension of what it wrote. `load` imports a bundler, wherever it is installed.
import { join } from "node:path";
import { promisify } from "node:util";
import { nextWay } from "./next.js";

const names = ["app", "thread"];
const entries = (from) => names.map((name) => join(from, `${name}.js`));
const entriesByName = (from) =>
  Object.fromEntries(names.map((name) => [name, join(from, `${name}.js`)]));

async function esbuild(load, from, to, format, more = {}) {
  const { build } = await load("esbuild");
  const extension = format === "cjs" ? "cjs" : "mjs";
  await build({
    entryPoints: entries(from),
    outdir: to,
    outExtension: { ".js": `.${extension}` },
    bundle: true,
    platform: "node",
    logLevel: "silent",
    format,
    ...more,
  });
  return extension;
}

async function rollup(load, from, to, format, more = {}) {
  const { rollup: bundle } = await load("rollup");
  const { default: resolve } = await load("@rollup/plugin-node-resolve");
  const { default: commonjs } = await load("@rollup/plugin-commonjs");
  const extension = format === "cjs" ? "cjs" : "mjs";
  const made = await bundle({
    input: entriesByName(from),
    ...more,
    plugins: [resolve({ preferBuiltins: true }), commonjs()],
    onwarn(warning) {
      if (warning.code === "UNRESOLVED_IMPORT") throw new Error(warning.message);
    },
  });
  await made.write({ dir: to, format, entryFileNames: `[name].${extension}` });
  return extension;
}

async function webpack(load, from, to, isModule, more = {}) {
  const { default: bundle } = await load("webpack");
  const extension = isModule ? "mjs" : "cjs";
  const options = {
    mode: "production",
    target: "node20",
    context: from,
    entry: entriesByName(from),
    output: { path: to, filename: `[name].${extension}` },
    ...more,
  };
  if (isModule) {
    options.experiments = { outputModule: true };
    Object.assign(options.output, { module: true, chunkFormat: "module" });
  }
  const stats = await promisify(bundle)(options);
  if (stats.hasErrors()) throw new Error(stats.toJson().errors[0].message);
  return extension;
}

async function vite(load, from, to, build, more = {}) {
  const { build: bundle } = await load("vite");
  await bundle({
    root: from,
    logLevel: "silent",
    configFile: false,
    build: { outDir: to, emptyOutDir: true, minify: true, ...build },
    ...more,
  });
  return "mjs";
}

const viteNames = { entryFileNames: "[name].mjs" };

/** `says`: what must be printed; without it the app must run. `beside`: node_modules must be there when it runs. `run`:
 *  how it is run and what it answers; without it by node. */
export const ways = {
  "esbuild esm": { build: (load, from, to) => esbuild(load, from, to, "esm") },
  "esbuild esm, split": {
    build: (load, from, to) =>
      esbuild(load, from, to, "esm", { splitting: true, chunkNames: "[name]-[hash]" }),
  },
  "esbuild esm, minified": {
    build: (load, from, to) => esbuild(load, from, to, "esm", { minify: true }),
  },
  "esbuild cjs": { build: (load, from, to) => esbuild(load, from, to, "cjs") },
  "esbuild, external": {
    beside: true,
    build: (load, from, to) => esbuild(load, from, to, "esm", { external: ["undercroft"] }),
  },
  "esbuild esm, without the condition": {
    says: /^ERR_WORKER: .*mark the package external/,
    build: (load, from, to) => esbuild(load, from, to, "esm", { conditions: ["custom"] }),
  },
  "esbuild cjs, without the condition": {
    says: /^ERR_WORKER: .*mark the package external/,
    build: (load, from, to) => esbuild(load, from, to, "cjs", { conditions: ["custom"] }),
  },
  "rollup esm": { build: (load, from, to) => rollup(load, from, to, "es") },
  "rollup cjs": { build: (load, from, to) => rollup(load, from, to, "cjs") },
  "rollup, external": {
    beside: true,
    build: (load, from, to) => rollup(load, from, to, "es", { external: [/^undercroft/] }),
  },
  "webpack esm": { build: (load, from, to) => webpack(load, from, to, true) },
  "webpack cjs": { build: (load, from, to) => webpack(load, from, to, false) },
  "webpack esm, external": {
    beside: true,
    build: (load, from, to) => webpack(load, from, to, true, { externals: [/^undercroft/] }),
  },
  "webpack cjs, external": {
    beside: true,
    build: (load, from, to) => {
      const more = { externals: [/^undercroft/], externalsType: "node-commonjs" };
      return webpack(load, from, to, false, more);
    },
  },
  "vite library": {
    build: (load, from, to) =>
      vite(load, from, to, {
        lib: {
          entry: entriesByName(from),
          formats: ["es"],
          fileName: (_format, name) => `${name}.mjs`,
        },
        rollupOptions: { external: /^node:|^(?:buffer|module|stream)$/ },
      }),
  },
  "vite ssr, whole": {
    build: (load, from, to) =>
      vite(
        load,
        from,
        to,
        { ssr: true, rollupOptions: { input: entriesByName(from), output: viteNames } },
        { ssr: { noExternal: true } },
      ),
  },
  "vite ssr": {
    beside: true,
    build: (load, from, to) =>
      vite(load, from, to, {
        ssr: true,
        rollupOptions: { input: entriesByName(from), output: viteNames },
      }),
  },
  "next standalone": nextWay("", []),
  "next standalone, external": nextWay('serverExternalPackages: ["undercroft"],', []),
  "next standalone, by webpack": nextWay("", ["--webpack"]),
};
