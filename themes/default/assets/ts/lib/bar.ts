// What the bar says that changes: how much is unread, and what the administrators say until it is put away.
import { call } from "./api";
import { on } from "./dom";
import { text } from "./texts";

const YEAR_S = 31_536_000;
const bell = document.querySelector<HTMLElement>("[data-unread]");

/** Show how many notifications are unread. */
function tellUnread(count: number): void {
  const badge = bell?.querySelector<HTMLElement>(".badge");
  if (!bell || !badge) return;
  badge.hidden = !count;
  badge.textContent = count > 99 ? "99+" : String(count);
  bell.setAttribute("aria-label", text(count ? "Notifications, {count} unread" : "Notifications", { count }));
}

async function askUnread(): Promise<void> {
  tellUnread(await call<number>("/api/v1/notifications/count"));
}

if (bell) {
  const ask = () => void askUnread().catch(() => undefined);
  if ("requestIdleCallback" in window) requestIdleCallback(ask);
  else setTimeout(ask);
  document.addEventListener("hub:unread", ask);
}

on("click", "[data-put-away]", (button) => {
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not everywhere.
  document.cookie = `broadcast=${button.dataset["putAway"]}; path=/; max-age=${YEAR_S}; samesite=lax`;
  button.closest(".broadcast")?.remove();
});

// What is opened is read; in another tab it is when the page is loaded next.
on("click", "a[data-read]", (link, event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  const body = { ids: [Number(link.dataset["read"])] };
  call("/api/v1/notifications/read", { method: "PUT", body })
    .catch(() => undefined)
    .finally(() => location.assign((link as HTMLAnchorElement).href));
});
