// Jobs: a list with filters, and one with its steps.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { address } from "../api/client";
import type { Job, ListOf } from "../api/types";
import { now, duration } from "../state/clock";
import { useResource } from "../state/resource";
import { to } from "../state/router";
import { Command, Panel, Read, State, Table, Time } from "../parts/basics";
import { JobPanel } from "../parts/job";
import { command } from "../parts/shell";

const STATES = ["queued", "running", "succeeded", "failed", "cancelled", "superseded", "expired", "dead", "error"];
const KINDS = ["deploy", "forge", "rollback", "restart", "scale", "teardown", "return", "repair", "cron_run", "invoke", "run"];
const CLASSES = ["deploy", "cron", "invoke", "observe"];

/** The view of all jobs. */
export function Jobs() {
  useEffect(() => {
    document.title = "Jobs · Norn";
  }, []);
  return (
    <>
      <h1>Jobs</h1>
      <JobList />
    </>
  );
}

/** The jobs of an app, or of all. */
export function JobList({ app }: { app?: string }) {
  const state = useSignal("");
  const kind = useSignal("");
  const group = useSignal(app === undefined ? "deploy" : "");
  const query = { app, state: state.value, kind: kind.value, class: group.value, limit: 50 };
  const jobs = useResource<ListOf<Job>>(address("/api/jobs", query), (event) => event.kind.startsWith("job.") && (app === undefined || event.app === app));
  const choose = (signal: { value: string }, label: string, all: string, values: readonly string[]) => (
    <select aria-label={label} value={signal.value} onChange={(event) => (signal.value = event.currentTarget.value)}>
      <option value="">{all}</option>
      {values.map((each) => (
        <option key={each} value={each}>{each}</option>
      ))}
    </select>
  );
  return (
    <Panel title={app === undefined ? "Newest jobs" : `Jobs of ${app}`}>
      <div class="filters">
        {choose(state, "State", "every state", STATES)}
        {choose(kind, "Kind", "every kind", KINDS)}
        {choose(group, "Class", "every class", CLASSES)}
      </div>
      <Read from={jobs} what="the jobs">
        {({ items }) =>
          items.length === 0 ? (
            <p class="muted">No job is like that.</p>
          ) : (
            <Table label="Jobs" head={app === undefined ? ["Job", "Kind", "App", "State", "Accepted", "Took", "By", "Error"] : ["Job", "Kind", "State", "Accepted", "Took", "By", "Error"]}>
              {items.map((each) => (
                <tr key={each.id}>
                  <td><a href={to("jobs", each.id)}>{each.id}</a></td>
                  <td>{each.kind}</td>
                  {app === undefined && <td>{each.app && <a href={to("apps", each.app)}>{each.app}</a>}</td>}
                  <td><State state={each.state} of="job" /></td>
                  <td><Time at={each.created_at} /></td>
                  <td>{each.started_at ? duration(((each.ended_at ? Date.parse(each.ended_at) : now.value) - Date.parse(each.started_at)) / 1000) : ""}</td>
                  <td>{each.actor}</td>
                  <td>{each.error?.sentence ?? each.waits}</td>
                </tr>
              ))}
            </Table>
          )
        }
      </Read>
      <Command text={command("norn", "jobs", "list", ...flag("--app", app), ...flag("--state", state.value), ...flag("--kind", kind.value), ...flag("--class", group.value))} />
    </Panel>
  );
}

function flag(name: string, value: string | undefined): string[] {
  return value ? [name, value] : [];
}

/** The view of one job. */
export function JobView({ id }: { id: number }) {
  useEffect(() => {
    document.title = `Job ${id} · Norn`;
  }, [id]);
  const job = useResource<Job>(`/api/jobs/${id}`);
  const app = job.data.value?.app;
  return (
    <>
      <h1>
        Job {id}
        {app && (
          <>
            {" "}
            of <a href={to("apps", app)}>{app}</a>
          </>
        )}
      </h1>
      <JobPanel id={id} />
    </>
  );
}
