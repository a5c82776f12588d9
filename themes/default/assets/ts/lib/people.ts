// A field for the name of a user (data-people: where names are found) offers those that begin as what is typed.
import { call } from "./api";
import { make, onEach } from "./dom";

const WAIT_MS = 150;

onEach<HTMLInputElement>("input[data-people]", (field) => {
  const list = make("datalist", { id: `${field.id}-people` });
  field.after(list);
  field.setAttribute("list", list.id);
  let timer = 0;
  const look = async (): Promise<void> => {
    const found = await call<{ name: string; nickname: string }[]>(
      `${field.dataset["people"]}?q=${encodeURIComponent(field.value)}`,
    );
    list.replaceChildren(...found.map(({ name, nickname }) => make("option", { value: name }, nickname)));
  };
  const later = (): void => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void look().catch(() => list.replaceChildren()), WAIT_MS);
  };
  field.addEventListener("input", later);
  field.addEventListener("focus", later, { once: true });
});
