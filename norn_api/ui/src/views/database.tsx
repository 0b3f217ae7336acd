// The database of an app: its size, its snapshots and backups, and what can be done with them.

import { useSignal } from "@preact/signals";
import { asProblem, change, ofApp, send, type Problem } from "../api/client";
import type { AppDetail, Database, ListOf, ServicePart, Snapshot, Work } from "../api/types";
import { useResource } from "../state/resource";
import { may } from "../state/session";
import { Action } from "../parts/action";
import { Command, Facts, Failure, Panel, Read, State, Table, Time, Waiting } from "../parts/basics";
import { Listed } from "../parts/listed";
import { save } from "../parts/save";
import { command } from "../parts/shell";
import { watch } from "./app";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Returns a size in the unit that fits it. */
export function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`;
}

/** The tab of the database. */
export function DatabaseView({ app }: { app: AppDetail }) {
  const ended = (event: { app: string | null; kind: string }) => event.app === app.name && event.kind === "job.ended";
  const databases = useResource<ListOf<Database>>("/api/databases", ended);
  const snapshots = useResource<ListOf<Snapshot>>(ofApp(app.name, "/snapshots"), ended);
  const restoring = useSignal<number | null>(null);
  const has = databases.data.value?.items.some((each) => each.app === app.name);
  return (
    <>
      <Panel title="Database">
        <Read from={databases} what="its database">
          {({ items }) => {
            const mine = items.filter((each) => each.app === app.name);
            if (mine.length === 0) return <p class="muted">It has none: services.postgres of its infraspec asks for one.</p>;
            return <>{mine.map((each) => <Shown key={each.name} database={each} />)}</>;
          }}
        </Read>
        <Command text={command("norn", "db", "list")} />
      </Panel>
      <Listed<ServicePart>
        title="Services"
        path={ofApp(app.name, "/services")}
        head={["Kind", "Name", "Variable", "Since", "State"]}
        row={(each) => [each.kind, <code>{each.name}</code>, <code>{each.variable}</code>, <Time at={each.since} />, each.named ? "in use" : "kept: its infraspec no longer names it"]}
        none="It has none: services of its infraspec asks for them."
        command={command("norn", "services", "list", app.name)}
        wants={ended}
      />
      <Panel title="Snapshots and backups">
        <Read from={snapshots} what="its snapshots">
          {({ items }) =>
            items.length === 0 ? (
              <p class="muted">None was taken yet.</p>
            ) : (
              <Table label="Snapshots" head={["Snapshot", "For", "Taken", "Size", "Rows", "Drilled", ""]}>
                {items.map((each) => (
                  <tr key={each.id}>
                    <td>{each.id}</td>
                    <td>{each.reason}{each.release !== null && ` of release ${each.release}`}</td>
                    <td><Time at={each.at} /></td>
                    <td>{each.bytes === null ? <State state="missing" /> : size(each.bytes)}</td>
                    <td>{each.rows}</td>
                    <td><Time at={each.drilled_at} /></td>
                    <td>
                      {may("deploy") && each.bytes !== null && (
                        <>
                        <Download app={app.name} id={each.id} />{" "}
                        <button type="button" class="quiet" aria-label={`Restore ${each.id}`} onClick={() => (restoring.value = each.id)}>Restore</button>
                        </>
                      )}
                    </td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Read>
        <Command text={command("norn", "db", "download", app.name, "SNAPSHOT")} label="The command that downloads one" />
        {restoring.value !== null && (
          <Action<Work>
            key={restoring.value}
            verb={`Restore snapshot ${restoring.value}`}
            command={command("norn", "db", "restore", app.name, String(restoring.value))}
            act={() => change("POST", ofApp(app.name, `/snapshots/${restoring.value}/restore`), {})}
            done={(work) => {
              restoring.value = null;
              watch(work);
            }}
            cancel={() => (restoring.value = null)}
            confirm={app.name}
            danger
          >
            <p>It replaces the database. A snapshot of what is there is taken first.</p>
          </Action>
        )}
      </Panel>
      {may("deploy") && has && <Take app={app} />}
    </>
  );
}

/** The page fetches the file itself: a link would send no CSRF word, which a file of secrets needs. */
function Download({ app, id }: { app: string; id: number }) {
  const problem = useSignal<Problem | null>(null);
  const since = useSignal(0);
  const download = async () => {
    since.value = Date.now();
    problem.value = null;
    try {
      save(await (await send(ofApp(app, `/snapshots/${id}/file`), { headers: { Accept: "*/*" } })).blob(), `${app}-${id}.dump`);
    } catch (error) {
      problem.value = asProblem(error);
    }
    since.value = 0;
  };
  return (
    <>
      <button type="button" class="quiet" aria-label={`Download ${id}`} disabled={since.value !== 0} onClick={() => void download()}>Download</button>
      {since.value !== 0 && <Waiting since={since.value} what="downloading" />}
      <Failure problem={problem.value} />
    </>
  );
}

function Shown({ database }: { database: Database }) {
  return (
    <Facts
      of={[
        ["Database", <code>{database.name}</code>],
        ["Size", database.bytes === null ? "not seen yet" : <>{size(database.bytes)}, <Time at={database.seen_at} /></>],
        ["Connections", database.connections],
        ["Backups", database.schedule ?? "none: services.postgres.backup is not in its infraspec"],
        ["Last backup", database.last_backup && <Time at={database.last_backup} />],
        ["Next backup", database.next_backup && <Time at={database.next_backup} />],
        ["Last drill", database.drilled_at && <Time at={database.drilled_at} />],
      ]}
    />
  );
}

function Take({ app }: { app: AppDetail }) {
  const take = (verb: string, word: string, path: string, body: object) => (
    <Action<Work> verb={verb} command={command("norn", "db", word, app.name)} act={() => change("POST", ofApp(app.name, path), body)} done={watch} />
  );
  return (
    <Panel title="Take one now">
      <div class="side">
      {take("Take a snapshot", "snapshot", "/snapshots", {})}
      {take("Take a backup", "backup", "/snapshots", { backup: true })}
      {take("Drill the newest backup", "drill", "/drill", {})}
      </div>
    </Panel>
  );
}
