// Sections as tabs: <div data-tabs="a name"><section data-tab="Title">…. The tab that was chosen last is chosen again.
import { make, onEach } from "./dom";

let made = 0;

onEach<HTMLElement>("[data-tabs]", (group) => {
  const panels = [...group.querySelectorAll<HTMLElement>(":scope > [data-tab]")];
  if (panels.length < 2) return;
  const memory = `hub:tab:${group.dataset["tabs"]}`;
  const bar = make("div", { class: "tabs", role: "tablist" });
  const tabs = panels.map((panel) => {
    const title = panel.dataset["tab"] ?? "";
    panel.id ||= `tab-panel-${++made}`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-label", title);
    const tab = make("button", { type: "button", role: "tab", "aria-controls": panel.id }, title);
    tab.dataset["testid"] = `tab.${title}`;
    tab.addEventListener("click", () => choose(tab));
    return tab;
  });
  const choose = (chosen: HTMLElement, isRemembered = true) => {
    for (const [at, tab] of tabs.entries()) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      (panels[at] as HTMLElement).hidden = !isChosen;
    }
    if (isRemembered) localStorage.setItem(memory, chosen.textContent ?? "");
  };
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const at = tabs.indexOf(document.activeElement as HTMLButtonElement);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (!next) return;
    next.focus();
    choose(next);
  });
  bar.append(...tabs);
  group.prepend(bar);
  group.dataset["tabbed"] = "";
  const last = localStorage.getItem(memory);
  choose(tabs.find((tab) => tab.textContent === last) ?? (tabs[0] as HTMLElement), false);
});

// On a narrow screen the tab of this page is in sight, wherever in the row it stands.
onEach<HTMLElement>(":is(.tabs, .side-links) > [aria-current]", (tab) => {
  const row = tab.parentElement as HTMLElement;
  const beyond = tab.offsetLeft + tab.offsetWidth - row.offsetLeft - row.clientWidth;
  if (beyond > 0) row.scrollLeft = beyond + 24;
});
