// Events: the newest facts, and each new one as it happens.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { address } from "../api/client";
import type { ListOf, NornEvent } from "../api/types";
import { to } from "../state/router";
import { useResource } from "../state/resource";
import { Command, Panel, Read, Table, Time } from "../parts/basics";
import { command } from "../parts/shell";

const SHOWN = 200;

/** The view of events. */
export function Events() {
  const app = useSignal("");
  const kind = useSignal("");
  useEffect(() => {
    document.title = "Events · Norn";
  }, []);
  const events = useResource<ListOf<NornEvent>>(address("/api/events", { app: app.value, limit: SHOWN }), (event) => app.value === "" || event.app === app.value);
  return (
    <>
      <h1>Events</h1>
      <Panel title="Newest events">
        <div class="filters">
          <input type="search" id="search" aria-label="Kind" placeholder="Kind, such as job.ended  /" value={kind.value} onInput={(event) => (kind.value = event.currentTarget.value)} />
          <input type="search" aria-label="App" placeholder="App" value={app.value} onChange={(event) => (app.value = event.currentTarget.value.trim())} />
        </div>
        <Read from={events} what="the events">
          {({ items }) => <List items={items.filter((each) => each.kind.includes(kind.value))} />}
        </Read>
        <Command text={command("norn", "events", "-f", ...(app.value ? ["--app", app.value] : []))} />
      </Panel>
    </>
  );
}

function List({ items }: { items: readonly NornEvent[] }) {
  return (
    <Table label="Events" head={["When", "Kind", "App", "Job", "Facts"]}>
      {[...items].reverse().map((each) => (
        <tr key={each.id}>
          <td><Time at={each.at} /></td>
          <td>{each.kind}</td>
          <td>{each.app && <a href={to("apps", each.app)}>{each.app}</a>}</td>
          <td>{each.job !== null && <a href={to("jobs", each.job)}>{each.job}</a>}</td>
          <td>{said(each.data)}</td>
        </tr>
      ))}
    </Table>
  );
}

function said(data: Record<string, unknown>): string {
  return Object.entries(data)
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => `${name} ${typeof value === "object" ? sentence(value) : String(value)}`)
    .join(", ");
}

function sentence(value: unknown): string {
  const found = (value as { sentence?: unknown } | null)?.sentence;
  return typeof found === "string" ? found : JSON.stringify(value);
}
