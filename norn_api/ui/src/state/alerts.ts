// The number of open alerts, for the head of the page.

import { signal } from "@preact/signals";
import { get } from "../api/client";
import type { Alert, ListOf } from "../api/types";
import { listen, returns } from "./stream";

export const alertCount = signal(0);

async function count(): Promise<void> {
  const found = await get<ListOf<Alert>>("/api/alerts?limit=100");
  alertCount.value = found.items.length;
}

listen((event) => {
  if (event.kind.startsWith("alert.")) void count().catch(() => undefined);
});
returns.subscribe((times) => {
  if (times > 0) void count().catch(() => undefined);
});
