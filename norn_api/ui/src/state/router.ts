// The place in the page: the part of the address after #, so that the server has one address for all of it.

import { computed, signal } from "@preact/signals";

const hash = signal(location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

/** The parts of the place: ["apps", "blog", "logs"]. */
export const place = computed(() => {
  const path = hash.value.replace(/^#\/?/, "").split("?")[0] ?? "";
  return path.split("/").filter(Boolean).map(decoded);
});

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Returns the address of a place. */
export function to(...parts: (string | number)[]): string {
  return `#/${parts.map((part) => encodeURIComponent(String(part))).join("/")}`;
}

/** Goes to a place. */
export function go(...parts: (string | number)[]): void {
  location.hash = to(...parts);
}
