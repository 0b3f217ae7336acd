// The stream of a tab: events, and the log lines of the apps that it shows. It has one connection and one id, with which the
// page resumes both. A tab that is hidden for a minute gives its place back and returns with the id of its last message, so
// that nothing is lost and nothing counts twice.

import { signal } from "@preact/signals";
import { asProblem, send, type Problem } from "../api/client";
import type { LogLine, NornEvent } from "../api/types";
import { pieces } from "./lines";

export type StreamState = "connecting" | "live" | "lost";
export const stream = signal<StreamState>("connecting");
/** The moment since which the stream is lost. */
export const lostSince = signal(0);
/** Grows whenever the stream returns: then everything that is seen is read again. */
export const returns = signal(0);

type Listener = (event: NornEvent) => void;

/** A view that follows the log of an app. */
export interface LogFollower {
  app: string;
  /** How many past lines come first. */
  tail: number;
  /** Called before the first line of each connection. */
  begin: () => void;
  take: (lines: readonly LogLine[]) => void;
  refused: (problem: Problem) => void;
}

const listeners = new Set<Listener>();
const followers = new Set<LogFollower>();
const HIDDEN_MS = 60_000;
const SILENT_MS = 25_000;
let last = "";
let current: AbortController | null = null;
let wanted = false;
let hidden = 0;
let running = false;
/** Other logs are wanted than those that the connection has: it is cut, and the next one follows at once. */
let changed = false;
let leaving = 0;
const LEAVING_MS = 3000;
/** Apps whose followers have no lines yet. */
const fresh = new Set<string>();

/** Calls `then` with every event until the returned function is called. */
export function listen(then: Listener): () => void {
  listeners.add(then);
  return () => listeners.delete(then);
}

/** Follows the log of an app until the returned function is called. */
export function followLog(follower: LogFollower): () => void {
  followers.add(follower);
  fresh.add(follower.app);
  reopen();
  return () => {
    if (!followers.delete(follower)) return;
    clearTimeout(leaving);
    leaving = window.setTimeout(reopen, LEAVING_MS);
  };
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

function apps(): string[] {
  return [...new Set([...followers].map((each) => each.app))];
}

/** Cuts the connection once what happens now is done: a view that replaces another one makes one change. */
function reopen(): void {
  clearTimeout(leaving);
  changed = true;
  setTimeout(() => {
    if (changed) current?.abort();
  });
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(hidden);
  if (document.hidden) hidden = window.setTimeout(() => current?.abort(), HIDDEN_MS);
  else if (wanted) void follow();
});

async function follow(): Promise<void> {
  if (running) return;
  running = true;
  changed = false;
  let pause = 500;
  while (wanted) {
    current = new AbortController();
    try {
      await read(current, () => {
        pause = 500;
      });
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status === 401) break;
      if (problem.status >= 400 && problem.status < 500 && problem.status !== 429) refuse(problem);
    }
    if (!wanted || document.hidden) {
      stream.value = "connecting";
      break;
    }
    if (changed) continue;
    if (stream.value !== "lost") {
      lostSince.value = Date.now();
      stream.value = "lost";
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, 5000);
  }
  running = false;
}

/** The server has no such log, or no longer knows the id: the views learn why, and the stream goes on without them. */
function refuse(problem: Problem): void {
  const refused = [...followers];
  followers.clear();
  last = refused.length > 0 ? (last.split(";")[0] ?? "") : "";
  changed = refused.length > 0;
  for (const each of refused) each.refused(problem);
}

/** Returns the id to resume from, without the positions in logs that a view begins or no view shows. */
function resumed(): string {
  const kept = apps().filter((app) => !fresh.has(app));
  return last.split(";").filter((part, index) => index === 0 || kept.includes(part.split("/")[0] ?? "")).join(";");
}

async function read(control: AbortController, opened: () => void): Promise<void> {
  const whole = stream.value === "live" && last !== "";
  const those = [...followers];
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  last = resumed();
  if (last !== "") headers["Last-Event-ID"] = last;
  changed = false;
  fresh.clear();
  const query = new URLSearchParams(apps().map((app) => ["logs", app]));
  if (those.length > 0) query.set("tail", String(Math.max(...those.map((each) => each.tail))));
  const response = await send(`/api/stream?${query}`, { headers, signal: control.signal });
  opened();
  if (!whole) returns.value += 1;
  stream.value = "live";
  let silence = window.setTimeout(() => control.abort(), SILENT_MS);
  const message = { kind: "", data: "" };
  for (const each of those) each.begin();
  try {
    for await (const piece of pieces(response)) {
      clearTimeout(silence);
      silence = window.setTimeout(() => control.abort(), SILENT_MS);
      hand(piece, message, those);
    }
  } finally {
    clearTimeout(silence);
  }
}

/** Hands out the messages of a piece of the stream: each event, and all log lines of an app at once. */
function hand(piece: readonly string[], message: { kind: string; data: string }, those: readonly LogFollower[]): void {
  const found = new Map<string, LogLine[]>();
  for (const line of piece) {
    if (line.startsWith("id: ")) last = line.slice(4);
    else if (line.startsWith("event: ")) message.kind = line.slice(7);
    else if (line.startsWith("data: ")) message.data += line.slice(6);
    else if (line === "" && message.data !== "") {
      const data: unknown = JSON.parse(message.data);
      if (message.kind === "log") gather(found, data as LogLine & { app: string });
      else for (const listener of listeners) listener(data as NornEvent);
      message.data = message.kind = "";
    }
  }
  for (const [app, lines] of found) {
    for (const each of those) if (each.app === app && followers.has(each)) each.take(lines);
  }
}

function gather(found: Map<string, LogLine[]>, line: LogLine & { app: string }): void {
  const lines = found.get(line.app);
  if (lines === undefined) found.set(line.app, [line]);
  else lines.push(line);
}
