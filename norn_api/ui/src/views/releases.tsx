// The releases of an app, and its attempts to make one live.

import { ofApp } from "../api/client";
import type { AppDetail, Deployment, ListOf, Release } from "../api/types";
import { to } from "../state/router";
import { useResource } from "../state/resource";
import { may } from "../state/session";
import { Command, Panel, Read, State, Table, Time } from "../parts/basics";
import { command } from "../parts/shell";
import { short } from "../parts/states";
import { openAction } from "./app";

/** The tab of releases and deployments. */
export function Releases({ app }: { app: AppDetail }) {
  const mine = (event: { app: string | null; kind: string }) => event.app === app.name && /^(release|job)\./.test(event.kind);
  const releases = useResource<ListOf<Release>>(ofApp(app.name, "/releases"), mine);
  const deployments = useResource<ListOf<Deployment>>(ofApp(app.name, "/deployments?limit=30"), mine);
  return (
    <>
      <Panel title="Releases" aside={may("deploy") && app.live && <button type="button" class="quiet" onClick={() => openAction("rollback")}>Rollback</button>}>
        <Read from={releases} what="its releases">
          {({ items }) => (
            <Table label="Releases" head={["Release", "State", "Revision", "Ref", "Made", "By", "Image"]}>
              {items.map((each) => (
                <tr key={each.n}>
                  <td>{each.n}</td>
                  <td>{each.live ? <State state="live" /> : each.pruned_at ? "image gone" : <State state={each.state} />}</td>
                  <td><code>{short(each.revision)}</code></td>
                  <td>{each.ref}</td>
                  <td><Time at={each.created_at} /></td>
                  <td>{each.actor}</td>
                  <td><code>{each.image}</code></td>
                </tr>
              ))}
            </Table>
          )}
        </Read>
        <Command text={command("norn", "releases", app.name)} />
      </Panel>
      <Panel title="Deployments">
        <Read from={deployments} what="its deployments">
          {({ items }) => (
            <Table label="Deployments" head={["Deployment", "Kind", "State", "Release", "When", "By", "Job", "Error"]}>
              {items.map((each) => (
                <tr key={each.id}>
                  <td>{each.id}</td>
                  <td>{each.kind}</td>
                  <td><State state={each.state} /></td>
                  <td>{each.release}</td>
                  <td><Time at={each.created_at} /></td>
                  <td>{each.actor}</td>
                  <td><a href={to("jobs", each.job)}>{each.job}</a></td>
                  <td>{each.error?.sentence}</td>
                </tr>
              ))}
            </Table>
          )}
        </Read>
        <Command text={command("norn", "deployments", app.name)} />
      </Panel>
    </>
  );
}
