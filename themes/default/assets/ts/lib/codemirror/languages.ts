// The languages of the editor; each is loaded when it is first wanted.
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

/** What the editor needs to know of a language; nothing where there is none or it cannot be loaded. */
export async function loadLanguage(name: string): Promise<Extension> {
  try {
    return (await LANGUAGES[name]?.()) ?? [];
  } catch {
    return [];
  }
}
