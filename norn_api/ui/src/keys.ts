// The keyboard: / searches, Ctrl-K opens the palette, arrows and Home/End move between cards.

import { palette } from "./views/palette";

/** Listens for the keys of the page. */
export function listenForKeys(): void {
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      palette.value = !palette.value;
      return;
    }
    if (palette.value || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "/") {
      const field = document.getElementById("search");
      if (field === null) return;
      event.preventDefault();
      field.focus();
    } else {
      arrow(event);
    }
  });
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && /^(input|textarea|select)$/i.test(target.tagName);
}

const STEPS: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

function arrow(event: KeyboardEvent): void {
  const group = event.target instanceof Element ? event.target.closest(".tabs, .bar.open") : null;
  const cards = document.querySelector(".cards");
  const within = group ?? (event.target instanceof Element && (cards?.contains(event.target) || event.target === document.body) ? cards : null);
  if (within === null || within === undefined) return;
  const links = [...within.querySelectorAll<HTMLElement>(group ? "a, button" : "h2 a")];
  const at = links.indexOf(document.activeElement as HTMLElement);
  const next = { Home: 0, End: links.length - 1 }[event.key] ?? (event.key in STEPS ? Math.max(0, Math.min(links.length - 1, at + (STEPS[event.key] ?? 0))) : -1);
  if (next < 0) return;
  event.preventDefault();
  links[next]?.focus();
}
