// Alerts: what is wrong now, and what was.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { address } from "../api/client";
import type { Alert, ListOf } from "../api/types";
import { to } from "../state/router";
import { useResource } from "../state/resource";
import { Command, Hint, Panel, Read, State, Time } from "../parts/basics";
import { command } from "../parts/shell";
import { word } from "../parts/states";

/** The view of alerts. */
export function Alerts() {
  const all = useSignal(false);
  useEffect(() => {
    document.title = "Alerts · Norn";
  }, []);
  const alerts = useResource<ListOf<Alert>>(address("/api/alerts", { all: all.value, limit: 100 }), (event) => event.kind.startsWith("alert."));
  return (
    <>
      <h1>Alerts</h1>
      <Panel title={all.value ? "All alerts" : "Open alerts"}>
        <label class="choice">
          <input type="checkbox" checked={all.value} onChange={() => (all.value = !all.value)} />
          <span>also the resolved ones</span>
        </label>
        <Read from={alerts} what="the alerts">
          {({ items }) =>
            items.length === 0 ? (
              <p class="note">Nothing is wrong.</p>
            ) : (
              <ol class="timeline">
                {items.map((each) => (
                  <li key={each.id} class={each.resolved_at ? "idle" : each.severity === "critical" ? "bad" : "warn"}>
                    <p>
                      <State state={each.resolved_at ? "resolved" : each.severity} /> <b>{word(each.kind)}</b>{" "}
                      {each.app ? <a href={to("apps", each.app)}>{each.app}</a> : "the server"} <Time at={each.raised_at} />
                    </p>
                    <p>{each.sentence}</p>
                    {each.resolved_at ? <p class="muted">resolved <Time at={each.resolved_at} />: {each.resolution}</p> : <Hint text={each.hint} />}
                  </li>
                ))}
              </ol>
            )
          }
        </Read>
        <Command text={command("norn", "alerts", all.value && "--all")} />
      </Panel>
    </>
  );
}
