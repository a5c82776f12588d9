// Which language a file is in, by its path.
const BY_ENDING: Record<string, string> = {
  bash: "shell",
  c: "cpp",
  cc: "cpp",
  cfg: "ini",
  cjs: "javascript",
  conf: "ini",
  cpp: "cpp",
  css: "css",
  cu: "cpp",
  go: "go",
  h: "cpp",
  hpp: "cpp",
  htm: "html",
  html: "html",
  ini: "ini",
  ipynb: "json",
  java: "java",
  js: "javascript",
  json: "json",
  jsx: "javascript",
  markdown: "markdown",
  md: "markdown",
  mdx: "markdown",
  mjs: "javascript",
  py: "python",
  pyi: "python",
  rs: "rust",
  sh: "shell",
  sql: "sql",
  svg: "xml",
  toml: "toml",
  ts: "typescript",
  tsx: "typescript",
  xml: "xml",
  yaml: "yaml",
  yml: "yaml",
  zsh: "shell",
};

/** The name of the language that a file is in; "" for none that the editor knows. */
export function languageOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  if (/^(dockerfile|containerfile)/.test(name)) return "dockerfile";
  if (name === "makefile") return "shell";
  return BY_ENDING[name.slice(name.lastIndexOf(".") + 1)] ?? "";
}
