// The server: its health, its workers with what they run, its settings.

import { useEffect } from "preact/hooks";
import type { Health, Job, ListOf, Setting, Worker } from "../api/types";
import { to } from "../state/router";
import { useResource } from "../state/resource";
import { may, session, whole } from "../state/session";
import { Command, Facts, Hint, Panel, Read, State, Table, Time } from "../parts/basics";
import { command } from "../parts/shell";
import { AdminLists } from "./adminlists";
import { Sessions } from "./sessions";

/** The view of the server. */
export function Server() {
  useEffect(() => {
    document.title = "Server · Norn";
  }, []);
  const health = useResource<Health>(whole() ? "/api/doctor" : "/api/health");
  return (
    <>
      <h1>Server</h1>
      <Panel title="Health" aside={<button type="button" class="quiet" onClick={health.reload}>Look again</button>}>
        <Read from={health} what="its health">
          {(found) => (
            <>
              <Facts of={[["State", <State state={found.status} />], ["Version", found.version], ["Signed in as", `${session.value?.name ?? ""}, ${[...new Set(session.value?.scopes)].join(", ") ?? ""}`]]} />
              <Checks health={found} />
            </>
          )}
        </Read>
        <Command text="norn doctor" />
      </Panel>
      {whole() && <Workers />}
      <Sessions />
      {may("admin") && whole() && <AdminLists />}
      {may("admin") && <Settings />}
    </>
  );
}

function Checks({ health }: { health: Health }) {
  return (
    <Table label="Checks" head={["Part", "State", "Message"]}>
      {health.checks.map((each) => (
        <tr key={each.name}>
          <td>{each.name}</td>
          <td><State state={each.status} /></td>
          <td>
            {each.message}
            <Hint text={each.hint} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Workers() {
  const workers = useResource<ListOf<Worker>>("/api/workers", (event) => /^(worker|job)\./.test(event.kind));
  const running = useResource<ListOf<Job>>("/api/jobs?state=running&limit=100", (event) => event.kind.startsWith("job."));
  const jobs = running.data.value?.items ?? [];
  return (
    <Panel title="Workers">
      <Read from={workers} what="the workers">
        {({ items }) => (
          <Table label="Workers" head={["Worker", "Class", "Busy", "Runs", "Engine", "Seen"]}>
            {items.map((each) => (
              <tr key={each.name}>
                <td><code>{each.name}</code></td>
                <td>{each.class}</td>
                <td>{each.draining_at ? "leaving" : `${each.busy} of ${each.slots}`}</td>
                <td>
                  {jobs
                    .filter((job) => job.class === each.class && each.busy > 0)
                    .map((job) => (
                      <span key={job.id}>
                        <a href={to("jobs", job.id)}>{job.kind} {job.app}</a>{" "}
                      </span>
                    ))}
                </td>
                <td>{each.engine_error ?? each.engine}</td>
                <td><Time at={each.seen_at} /></td>
              </tr>
            ))}
          </Table>
        )}
      </Read>
      <Command text={command("norn", "worker", "list")} />
    </Panel>
  );
}

function Settings() {
  const settings = useResource<ListOf<Setting>>("/api/settings");
  return (
    <Panel title="Settings" aside={<span class="muted">read only: variables of the server's processes</span>}>
      <Read from={settings} what="its settings">
        {({ items }) => (
          <Table label="Settings" head={["Variable", "Value", "From", "Meaning"]}>
            {items.map((each) => (
              <tr key={each.name}>
                <td><code>{each.name}</code></td>
                <td>{each.secret ? (each.set ? "set, not shown" : "unset") : <code>{each.value}</code>}</td>
                <td>{each.set ? "set" : "default"}</td>
                <td>{each.meaning}</td>
              </tr>
            ))}
          </Table>
        )}
      </Read>
    </Panel>
  );
}
