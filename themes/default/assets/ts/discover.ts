// Lists and searches: forms that narrow them keep what the address says already, and leave out what is empty.

interface Config {
  elt: HTMLElement;
  parameters: Record<string, string>;
}

document.addEventListener("htmx:configRequest", (event) => {
  const { elt, parameters } = (event as CustomEvent<Config>).detail;
  const form = elt.closest<HTMLFormElement>("form[data-filters]");
  if (!form) return;
  const said: Record<string, string> = {};
  for (const field of Array.from(form.elements) as HTMLInputElement[]) {
    if (field.name && field.type !== "hidden") said[field.name] = field.value.trim();
  }
  const asked = new URLSearchParams(location.search);
  asked.delete("page");
  for (const name of Object.keys(parameters)) delete parameters[name];
  for (const [name, value] of Object.entries({ ...Object.fromEntries(asked), ...said })) {
    if (value) parameters[name] = value;
  }
});
