// Light or dark: as the system says, unless the user chose one of them.

import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
const KEY = "norn-theme";
const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

export const theme = signal<Theme>(stored());
theme.subscribe((chosen) => {
  if (chosen === "system") {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem(KEY);
  } else {
    document.documentElement.dataset.theme = chosen;
    localStorage.setItem(KEY, chosen);
  }
});

function stored(): Theme {
  const found = localStorage.getItem(KEY);
  return found === "light" || found === "dark" ? found : "system";
}

/** Chooses the next of the three. */
export function turn(): void {
  theme.value = NEXT[theme.value];
}
