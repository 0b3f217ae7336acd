// All apps, as the cards and the palette show them. An event about an app makes the page read that app alone again.

import { computed, signal } from "@preact/signals";
import { address, asProblem, get, ofApp, Problem } from "../api/client";
import type { App, ListOf, Mark, NornEvent, ScheduleSummary } from "../api/types";
import { listen, returns } from "./stream";

export const apps = signal<ReadonlyMap<string, App> | undefined>(undefined);
export const bars = signal<ReadonlyMap<string, readonly Mark[]>>(new Map());
export const appsProblem = signal<Problem | null>(null);
export const appList = computed(() => [...(apps.value?.values() ?? [])].sort((a, b) => a.name.localeCompare(b.name)));

const GATHER_MS = 150;
const OBSERVED_MS = 15_000;
const MANY = 10;
const dirty = new Set<string>();
let timer = 0;
let begun = false;

/** Reads all apps, and keeps them true from then on. */
export function keepApps(): void {
  if (begun) return;
  begun = true;
  listen(mark);
  returns.subscribe(() => void readAll());
  // The last hour's calls and an occurrence that is due change without an event of their own.
  setInterval(() => {
    if (!document.hidden) void readAll();
  }, OBSERVED_MS * 4);
}

function mark(event: NornEvent): void {
  if (event.app === null || event.kind === "step.started" || event.kind === "step.ended") return;
  dirty.add(event.app);
  if (timer === 0) timer = window.setTimeout(() => void readDirty(), GATHER_MS);
}

async function readDirty(): Promise<void> {
  const names = [...dirty];
  dirty.clear();
  timer = 0;
  if (names.length > MANY) return readAll();
  const found = await Promise.all(names.map(one));
  const next = new Map(apps.value ?? []);
  found.forEach((app, index) => {
    const name = names[index] ?? "";
    if (app === null) next.delete(name);
    else if (app !== undefined) next.set(name, app);
  });
  apps.value = next;
  if (found.some((app) => app?.role === "cron")) void readBars().catch(() => undefined);
}

/** Returns an app; null for one that is gone, undefined while the API does not answer. */
async function one(name: string): Promise<App | null | undefined> {
  try {
    return await get<App>(ofApp(name));
  } catch (error) {
    return asProblem(error).status === 404 ? null : undefined;
  }
}

/** Reads every app and every bar. */
export async function readAll(): Promise<void> {
  try {
    const found = await all<App>("/api/apps", 500);
    apps.value = new Map(found.map((app) => [app.name, app]));
    appsProblem.value = null;
    if (found.some((app) => app.role === "cron")) await readBars();
  } catch (error) {
    appsProblem.value = asProblem(error);
  }
}

async function readBars(): Promise<void> {
  const found = await all<ScheduleSummary>("/api/cron", 200);
  bars.value = new Map(found.map((each) => [each.app, each.recent]));
}

async function all<T>(path: string, limit: number): Promise<T[]> {
  const found: T[] = [];
  let after: string | null = null;
  do {
    const page: ListOf<T> = await get<ListOf<T>>(address(path, { limit, after }));
    found.push(...page.items);
    after = page.next;
  } while (after !== null);
  return found;
}
