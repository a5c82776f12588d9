// What every page loads.
import htmx from "htmx.org";
import "./lib/menus";
import "./lib/anchors";
import "./lib/copy";
import "./lib/dialogs";
import "./lib/forms";
import "./lib/bar";
import "./lib/keys";
import "./lib/parts";
import "./lib/scrolls";
import "./lib/quick";
import "./lib/theme";
import "./lib/times";
import "./lib/tabs";
import "./lib/toasts";
import "./lib/toggles";

// Pages ask for parts of themselves (hx-get); nothing in an attribute is run as a script.
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0;
htmx.config.refreshOnHistoryMiss = true;
htmx.config.scrollBehavior = "instant";
// What has just come answers at once: htmx would hear no key on it for some moments.
htmx.config.defaultSettleDelay = 0;

declare global {
  interface Window {
    htmx: typeof htmx;
  }
}
window.htmx = htmx;
document.documentElement.dataset["scripts"] = "ready";
