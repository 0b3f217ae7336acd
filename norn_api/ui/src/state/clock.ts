// The time: one signal that moves once a second while the page is seen, so that relative times stay true.

import { signal } from "@preact/signals";

export const now = signal(Date.now());
setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1000);
document.addEventListener("visibilitychange", () => {
  now.value = Date.now();
});

const UNITS: readonly [string, number][] = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];

/** Returns a number of seconds in words: "3 min", "1.2 s". */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ["s", 1];
  const whole = Math.floor(seconds / size);
  const rest = Math.floor((seconds % size) / 60);
  return unit === "h" && rest > 0 ? `${whole} h ${rest} min` : `${whole} ${unit}`;
}

/** Returns milliseconds in words. */
export function took(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "";
  return ms < 1000 ? `${Math.round(ms)} ms` : duration(ms / 1000);
}

/** Returns how far a moment is from now: "3 min ago", "in 2 h". */
export function relative(at: string, present: number): string {
  const seconds = (Date.parse(at) - present) / 1000;
  const size = Math.abs(seconds);
  if (size < 1.5) return "now";
  const words = size < 60 ? `${Math.round(size)} s` : duration(size);
  return seconds < 0 ? `${words} ago` : `in ${words}`;
}
