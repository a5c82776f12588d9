// Which language a file is in, by its path; each is loaded when it is first wanted.
import { LanguageSupport, StreamLanguage } from "@codemirror/language";
import type { Extension } from "@codemirror/state";

type Load = () => Promise<Extension>;

const older = (load: () => Promise<Parameters<typeof StreamLanguage.define>[0]>): Load => {
  return async () => new LanguageSupport(StreamLanguage.define(await load()));
};

const LANGUAGES: Record<string, Load> = {
  cpp: async () => (await import("@codemirror/lang-cpp")).cpp(),
  css: async () => (await import("@codemirror/lang-css")).css(),
  dockerfile: older(async () => (await import("@codemirror/legacy-modes/mode/dockerfile")).dockerFile),
  go: older(async () => (await import("@codemirror/legacy-modes/mode/go")).go),
  html: async () => (await import("@codemirror/lang-html")).html(),
  ini: older(async () => (await import("@codemirror/legacy-modes/mode/properties")).properties),
  java: async () => (await import("@codemirror/lang-java")).java(),
  javascript: async () => (await import("@codemirror/lang-javascript")).javascript({ jsx: true }),
  json: async () => (await import("@codemirror/lang-json")).json(),
  markdown: async () => (await import("@codemirror/lang-markdown")).markdown(),
  python: async () => (await import("@codemirror/lang-python")).python(),
  rust: async () => (await import("@codemirror/lang-rust")).rust(),
  shell: older(async () => (await import("@codemirror/legacy-modes/mode/shell")).shell),
  sql: async () => (await import("@codemirror/lang-sql")).sql(),
  toml: older(async () => (await import("@codemirror/legacy-modes/mode/toml")).toml),
  typescript: async () => (await import("@codemirror/lang-javascript")).javascript({ jsx: true, typescript: true }),
  xml: async () => (await import("@codemirror/lang-xml")).xml(),
  yaml: async () => (await import("@codemirror/lang-yaml")).yaml(),
};

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

/** What the editor needs to know of a language; nothing where there is none or it cannot be loaded. */
export async function loadLanguage(name: string): Promise<Extension> {
  try {
    return (await LANGUAGES[name]?.()) ?? [];
  } catch {
    return [];
  }
}
