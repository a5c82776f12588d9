// Parts of the page that come afterwards and do not come: said in their place, with a button that asks again. And a
// line above the page while there is no network.
import { make } from "./dom";
import { text } from "./texts";

interface Failed {
  elt: HTMLElement;
  target: HTMLElement;
  pathInfo: { requestPath: string };
}

// What comes by itself, and not because somebody did something.
const OF_ITS_OWN = /\b(load|intersect|revealed)\b/;

function sayIn(place: HTMLElement, failed: Failed): void {
  const looks = { type: "button", class: "button tiny", "data-testid": "part.again" };
  const again = make("button", looks, text("Try again"));
  const words = make("span", {}, text("This could not be loaded."));
  const inside = place.tagName === "TBODY" ? make("tr", {}, make("td", { colspan: "99" }, words, " ", again)) : null;
  place.replaceChildren(inside ?? make("div", { class: "row quiet small", role: "alert" }, words, again));
  again.addEventListener("click", () => {
    const swap = failed.elt.getAttribute("hx-swap") ?? "innerHTML";
    again.disabled = true;
    void window.htmx.ajax("get", failed.pathInfo.requestPath, {
      source: failed.elt,
      target: failed.target,
      swap: swap as "innerHTML",
    });
  });
}

for (const kind of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(kind, (event) => {
    const failed = (event as CustomEvent<Failed>).detail;
    const place = failed.elt;
    if (!OF_ITS_OWN.test(place.getAttribute("hx-trigger") ?? "") || place.hidden) return;
    // What stands there already stays.
    const isWaitedFor = !place.childElementCount || place.querySelector(".skeleton, noscript, [data-testid$='.again']");
    if (isWaitedFor) sayIn(place, failed);
  });
}

const line = make("p", { class: "notice", role: "status", "data-testid": "offline" });

function look(): void {
  line.textContent = navigator.onLine ? "" : text("There is no network. What you write here stays.");
  line.hidden = navigator.onLine;
}

document.querySelector("main")?.before(line);
window.addEventListener("online", look);
window.addEventListener("offline", look);
look();
