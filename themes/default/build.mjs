// Builds what browsers load: scripts and styles in one file each with a hash in its name, an icon sprite, a manifest.
//
// node build.mjs [THEME FOLDER]: another theme's assets/ are built with this theme's tools.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const theme = resolve(process.argv[2] ?? HERE);
const sources = join(theme, "assets");
const output = join(theme, "static", "built");
const COMPRESSED = /\.(js|css|svg|json)$/;

/** Every top-level file of a folder with that ending: what pages can ask for by name. */
function entriesIn(folder, ending) {
  const path = join(sources, folder);
  return existsSync(path)
    ? readdirSync(path)
        .filter((name) => name.endsWith(ending))
        .map((name) => join(path, name))
    : [];
}

/** One SVG with a symbol for each icon that assets/icons.txt names. */
function buildSprite() {
  const list = join(sources, "icons.txt");
  if (!existsSync(list)) return {};
  const names = readFileSync(list, "utf8").split("\n").filter(Boolean);
  const symbols = names.map((name) => {
    const file = join(HERE, "node_modules", "lucide-static", "icons", `${name}.svg`);
    if (!existsSync(file)) throw new Error(`assets/icons.txt: there is no icon ${name}`);
    const body = readFileSync(file, "utf8")
      .replace(/^[\s\S]*?<svg[^>]*>/, "")
      .replace(/<\/svg>\s*$/, "");
    return `<symbol id="${name}" viewBox="0 0 24 24">${body.replace(/\s*\n\s*/g, "")}</symbol>`;
  });
  const sprite = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
  const file = `icons-${createHash("sha256").update(sprite).digest("hex").slice(0, 8)}.svg`;
  writeFileSync(join(output, file), sprite);
  return { "icons.svg": file };
}

// Names change with contents, so nothing is built over: pages that are open still find what they were made with.
const KEPT_MS = 3_600_000;
mkdirSync(output, { recursive: true });
const entryPoints = [...entriesIn("ts", ".ts"), ...entriesIn("css", ".css")];
const { metafile } = await build({
  entryPoints,
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  metafile: true,
  legalComments: "linked",
  outdir: output,
  entryNames: "[name]-[hash]",
  chunkNames: "part-[hash]",
  assetNames: "[name]-[hash]",
  nodePaths: [join(HERE, "node_modules")],
  loader: { ".woff2": "file", ".woff": "empty", ".ttf": "empty" },
  logLevel: "warning",
});
const manifest = buildSprite();
for (const [path, { entryPoint }] of Object.entries(metafile.outputs)) {
  if (entryPoint && entryPoints.includes(resolve(entryPoint)))
    manifest[basename(entryPoint).replace(/\.ts$/, ".js")] = basename(path);
}
const built = new Set([...Object.keys(metafile.outputs).map((path) => basename(path)), manifest["icons.svg"]]);
for (const name of built) {
  if (!COMPRESSED.test(name) || existsSync(join(output, `${name}.br`))) continue;
  const content = readFileSync(join(output, name));
  writeFileSync(join(output, `${name}.gz`), gzipSync(content, { level: 9 }));
  writeFileSync(
    join(output, `${name}.br`),
    brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  );
}
const draft = join(output, `manifest.${process.pid}`);
writeFileSync(draft, `${JSON.stringify(manifest, null, 1)}\n`);
renameSync(draft, join(output, "manifest.json"));
for (const name of readdirSync(output)) {
  const file = join(output, name);
  const isCurrent = name === "manifest.json" || built.has(name.replace(/\.(gz|br)$/, ""));
  if (!isCurrent && Date.now() - statSync(file).mtimeMs > KEPT_MS) rmSync(file, { force: true });
}
