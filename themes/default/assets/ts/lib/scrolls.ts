// What scrolls sideways can be scrolled by keys: it takes the focus while it is wider than its place.
import { onEach } from "./dom";

const sizes = new ResizeObserver((changes) => {
  for (const { target } of changes) {
    if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
    else target.removeAttribute("tabindex");
  }
});

onEach<HTMLElement>(".scroll:not([tabindex])", (box) => sizes.observe(box));
