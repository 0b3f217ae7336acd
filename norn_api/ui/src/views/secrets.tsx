// The secrets of an app by name: values go in, and none comes out.

import { useSignal } from "@preact/signals";
import { change, ofApp } from "../api/client";
import type { AppDetail, ListOf, Secret } from "../api/types";
import { useResource } from "../state/resource";
import { may } from "../state/session";
import { Action } from "../parts/action";
import { Panel, Read, State, Table, Time } from "../parts/basics";
import { command } from "../parts/shell";

/** The tab of secrets. */
export function Secrets({ app }: { app: AppDetail }) {
  const secrets = useResource<ListOf<Secret>>(ofApp(app.name, "/secrets"), (event) => event.app === app.name && /^(secret|app)\./.test(event.kind));
  const removing = useSignal<string | null>(null);
  return (
    <>
      <Panel title="Secrets">
        <Read from={secrets} what="its secrets">
          {({ items }) =>
            items.length === 0 ? (
              <p class="muted">None is set, and its infraspec names none.</p>
            ) : (
              <Table label="Secrets" head={["Name", "State", "Version", "Set by", "When", "In the infraspec", ""]}>
                {items.map((each) => (
                  <tr key={each.name}>
                    <td><code>{each.name}</code></td>
                    <td><State state={each.missing ? "unset" : "set"} /></td>
                    <td>{each.version}</td>
                    <td>{each.set_by}</td>
                    <td><Time at={each.at} /></td>
                    <td>{each.named ? "yes" : "no"}</td>
                    <td>
                      {may("deploy") && each.version !== null && (
                        <button type="button" class="quiet" aria-label={`Remove ${each.name}`} onClick={() => (removing.value = each.name)}>Remove</button>
                      )}
                    </td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Read>
        {removing.value !== null && (
          <Action
            key={removing.value}
            verb={`Remove ${removing.value}`}
            command={command("norn", "secrets", "unset", app.name, removing.value)}
            act={() => change("DELETE", ofApp(app.name, `/secrets/${encodeURIComponent(removing.value ?? "")}`))}
            done={() => {
              removing.value = null;
              secrets.reload();
            }}
            cancel={() => (removing.value = null)}
            confirm={removing.value}
            danger
          >
            <p>Containers that have it keep it until they are replaced.</p>
          </Action>
        )}
      </Panel>
      {may("deploy") && <Set app={app} done={secrets.reload} />}
    </>
  );
}

function Set({ app, done }: { app: AppDetail; done: () => void }) {
  const name = useSignal("");
  const value = useSignal("");
  const set = () => change("PUT", ofApp(app.name, "/secrets"), { values: { [name.value]: value.value } });
  return (
    <Panel title="Set a secret">
      <Action
        verb="Set it"
        command={command("norn", "secrets", "set", app.name, name.value || "NAME")}
        act={set}
        done={() => {
          name.value = "";
          value.value = "";
          done();
        }}
        disabled={name.value === ""}
      >
        <label>
          <span>Name</span>
          <input value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} spellcheck={false} autocomplete="off" placeholder="API_KEY" />
        </label>
        <label>
          <span>Value: nobody can read it again</span>
          <textarea rows={2} class="secret" value={value.value} onInput={(event) => (value.value = event.currentTarget.value)} spellcheck={false} autocomplete="off" />
        </label>
      </Action>
    </Panel>
  );
}
