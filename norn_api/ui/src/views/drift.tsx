// What others changed of an app in its cluster, and the infraspecs that were applied to it.

import { change, ofApp } from "../api/client";
import type { AppDetail, AppliedSpec, Drift, Work } from "../api/types";
import { useResource } from "../state/resource";
import { may } from "../state/session";
import { Action } from "../parts/action";
import { Panel, Read, Table, Time } from "../parts/basics";
import { Listed } from "../parts/listed";
import { command } from "../parts/shell";
import { watch } from "./app";

/** The last comparison of the containers of an app with its live release. */
export function DriftPanel({ app }: { app: AppDetail }) {
  const drift = useResource<Drift>(ofApp(app.name, "/drift"), (event) => event.app === app.name && event.kind === "job.ended");
  return (
    <Panel title="Changes by others">
      <Read from={drift} what="the last comparison">
        {(found) => (
          <>
            <p>
              {found.seen_at === null ? "It was not compared yet with its live release." : <>Compared with its live release <Time at={found.seen_at} />: {found.drifted ? "others changed these fields." : "nothing differs."}</>}
            </p>
            {found.found.length > 0 && (
              <Table label="Fields that differ" head={["Object", "Field", "Norn made", "Found"]}>
                {found.found.map((each) => (
                  <tr key={`${each.thing} ${each.field}`}>
                    <td>{each.thing}</td>
                    <td><code>{each.field}</code></td>
                    <td><code>{each.wanted ?? "none"}</code></td>
                    <td><code>{each.found ?? "none"}</code></td>
                  </tr>
                ))}
              </Table>
            )}
          </>
        )}
      </Read>
      {may("deploy") && <Action<Work> verb="Compare now" command={command("norn", "drift", app.name)} act={() => change("POST", ofApp(app.name, "/drift"), {})} done={watch} />}
    </Panel>
  );
}

/** The versions of its infraspec. */
export function Specs({ app }: { app: AppDetail }) {
  return (
    <Listed<AppliedSpec>
      title="Applied infraspecs"
      path={ofApp(app.name, "/specs?limit=20")}
      head={["Version", "Applied", "By"]}
      row={(each) => [each.version, <Time at={each.at} />, each.actor]}
      none="None was applied: the server reads the infraspec from the app's directory or repository."
      command={command("norn", "specs", app.name)}
      wants={(event) => event.app === app.name && event.kind === "app.applied"}
    />
  );
}
