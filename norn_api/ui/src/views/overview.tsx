// What runs of an app now, how it was, and its infraspec.

import { ofApp } from "../api/client";
import type { AppDetail, ListOf, Span } from "../api/types";
import { useResource } from "../state/resource";
import { took } from "../state/clock";
import { Facts, Output, Panel, State, Table, Time } from "../parts/basics";
import { DriftPanel, Specs } from "./drift";
import { Health } from "./healthgraph";

/** The first tab of an app. */
export function Overview({ app }: { app: AppDetail }) {
  return (
    <>
      {app.replicas.length > 0 && (
        <Panel title="Replicas" aside={<span class="muted">seen <Time at={app.seen_at} /></span>}>
          <Table label="Replicas" head={["Replica", "State", "Release", "Healthy", "Restarts", "Processors", "Memory", "Message"]}>
            {app.replicas.map((each) => (
              <tr key={`${each.name} ${each.until ?? ""}`}>
                <td><code>{each.name}</code></td>
                <td><State state={each.state} /></td>
                <td>{each.release}</td>
                <td>{each.healthy === null ? "" : each.healthy ? "yes" : "no"}</td>
                <td>{each.restarts}</td>
                <td>{each.usage?.cpus?.toFixed(2) ?? ""}</td>
                <td>{each.usage ? memory(each.usage.memory, each.usage.memory_limit) : ""}</td>
                <td>{each.message}</td>
              </tr>
            ))}
          </Table>
        </Panel>
      )}
      {app.uptime && <Uptime app={app} />}
      {app.recent.length > 0 && (
        <Panel title={app.role === "function" ? "Last calls" : "Last runs"}>
          <Table label="Last runs or calls" head={["Id", "State", "When", "Took", "Exit", "Why"]}>
            {app.recent.map((each) => (
              <tr key={each.id}>
                <td>{each.id}</td>
                <td><State state={each.state} of="execution" /></td>
                <td><Time at={each.created_at} /></td>
                <td>{took(each.duration_ms)}</td>
                <td>{each.exit_code ?? ""}</td>
                <td>{each.sentence}</td>
              </tr>
            ))}
          </Table>
        </Panel>
      )}
      {app.spec && (
        <Panel title="Infraspec" aside={<span class="muted">as Norn reads it</span>}>
          <Output text={JSON.stringify(app.spec, null, 2)} label="the infraspec" />
        </Panel>
      )}
      <Specs app={app} />
      {app.live && (app.role === "webserver" || app.role === "worker") && <DriftPanel app={app} />}
    </>
  );
}

const MEBIBYTE = 1_048_576;

function memory(used: number, limit: number | null): string {
  const size = (bytes: number) => `${Math.max(1, Math.round(bytes / MEBIBYTE))} MiB`;
  return limit === null ? size(used) : `${size(used)} of ${size(limit)}`;
}

function Uptime({ app }: { app: AppDetail }) {
  const uptime = app.uptime;
  const spans = useResource<ListOf<Span>>(ofApp(app.name, "/health-checks?limit=100"), (event) => event.app === app.name && event.kind === "workload.changed");
  if (!uptime) return null;
  const percent = (share: number | null) => (share === null ? "not observed yet" : `${share.toFixed(2)} %`);
  return (
    <Panel title="Uptime">
      <Facts of={[["Last 24 hours", percent(uptime.day)], ["Last 7 days", percent(uptime.week)]]} />
      <Health spans={spans.data.value?.items ?? uptime.changes} />
      <Table label="Changes of its state" head={["State", "Since", "Until", "Reason"]}>
        {uptime.changes.map((each) => (
          <tr key={each.began_at}>
            <td><State state={each.state} /></td>
            <td><Time at={each.began_at} /></td>
            <td>{each.ended_at ? <Time at={each.ended_at} /> : "now"}</td>
            <td>{each.reason}</td>
          </tr>
        ))}
      </Table>
    </Panel>
  );
}
