// The stream of events: one for each tab. A tab that is hidden for a minute gives its place back and returns with the id of
// its last event, so that nothing is lost and nothing counts twice.

import { signal } from "@preact/signals";
import { asProblem, send } from "../api/client";
import type { NornEvent } from "../api/types";
import { lines } from "./lines";

export type StreamState = "connecting" | "live" | "lost";
export const stream = signal<StreamState>("connecting");
/** The moment since which the stream is lost. */
export const lostSince = signal(0);
/** Grows whenever the stream returns: then everything that is seen is read again. */
export const returns = signal(0);

type Listener = (event: NornEvent) => void;
const listeners = new Set<Listener>();
const HIDDEN_MS = 60_000;
const SILENT_MS = 25_000;
let last = "";
let current: AbortController | null = null;
let wanted = false;
let hidden = 0;
let running = false;

/** Calls `then` with every event until the returned function is called. */
export function listen(then: Listener): () => void {
  listeners.add(then);
  return () => listeners.delete(then);
}

/** Opens the stream; it stays open until `close`. */
export function open(): void {
  if (wanted) return;
  wanted = true;
  void follow();
}

/** Closes the stream and forgets its place. */
export function close(): void {
  wanted = false;
  last = "";
  current?.abort();
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(hidden);
  if (document.hidden) hidden = window.setTimeout(() => current?.abort(), HIDDEN_MS);
  else if (wanted) void follow();
});

async function follow(): Promise<void> {
  if (running) return;
  running = true;
  let pause = 500;
  while (wanted) {
    current = new AbortController();
    try {
      await read(current, () => {
        pause = 500;
      });
    } catch (error) {
      if (asProblem(error).status === 401) break;
    }
    if (!wanted || document.hidden) break;
    if (stream.value !== "lost") {
      lostSince.value = Date.now();
      stream.value = "lost";
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, 5000);
  }
  running = false;
}

async function read(control: AbortController, opened: () => void): Promise<void> {
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  if (last !== "") headers["Last-Event-ID"] = last;
  const response = await send("/api/events/stream", { headers, signal: control.signal });
  opened();
  returns.value += 1;
  stream.value = "live";
  let silence = window.setTimeout(() => control.abort(), SILENT_MS);
  let data = "";
  try {
    for await (const line of lines(response)) {
      clearTimeout(silence);
      silence = window.setTimeout(() => control.abort(), SILENT_MS);
      if (line.startsWith("id: ")) last = line.slice(4);
      else if (line.startsWith("data: ")) data += line.slice(6);
      else if (line === "" && data !== "") {
        hand(JSON.parse(data) as NornEvent);
        data = "";
      }
    }
  } finally {
    clearTimeout(silence);
  }
}

function hand(event: NornEvent): void {
  for (const listener of listeners) listener(event);
}
