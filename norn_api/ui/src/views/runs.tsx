// One-off commands in the image of an app: run one, and see what the earlier ones printed.

import { useSignal } from "@preact/signals";
import { change, ofApp } from "../api/client";
import type { AppDetail, ListOf, OneOff, Work } from "../api/types";
import { took } from "../state/clock";
import { useResource } from "../state/resource";
import { may } from "../state/session";
import { Action } from "../parts/action";
import { Command, Facts, Hint, Output, Panel, Read, State, Table, Time } from "../parts/basics";
import { command, quoted } from "../parts/shell";
import { watch } from "./app";

/** The tab of one-off commands. */
export function Runs({ app }: { app: AppDetail }) {
  const runs = useResource<ListOf<OneOff>>(ofApp(app.name, "/runs?limit=30"), (event) => event.app === app.name && /^(execution|job)\./.test(event.kind));
  const shown = useSignal<number | null>(null);
  return (
    <>
      {may("deploy") && <Begin app={app} />}
      {shown.value !== null && <Run key={shown.value} id={shown.value} close={() => (shown.value = null)} />}
      <Panel title="Commands">
        <Read from={runs} what="its commands">
          {({ items }) =>
            items.length === 0 ? (
              <p class="muted">No command was run yet.</p>
            ) : (
              <Table label="Commands" head={["Run", "When", "State", "Took", "Exit", "Command", "By", "Why"]}>
                {items.map((each) => (
                  <tr key={each.id}>
                    <td><button type="button" class="quiet" aria-label={`Open command ${each.id}`} onClick={() => (shown.value = each.id)}>{each.id}</button></td>
                    <td><Time at={each.created_at} /></td>
                    <td><State state={each.state} of="execution" /></td>
                    <td>{took(each.duration_ms)}</td>
                    <td>{each.exit_code}</td>
                    <td><code>{each.command.map(quoted).join(" ")}</code></td>
                    <td>{each.actor}</td>
                    <td>{each.sentence}</td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Read>
        <Command text={command("norn", "runs", "list", app.name)} />
      </Panel>
    </>
  );
}

function Begin({ app }: { app: AppDetail }) {
  const text = useSignal("");
  return (
    <Panel title="Run a command">
      <Action<Work>
        verb="Run it"
        command={command("norn", "run", app.name, "--", "sh", "-c", text.value || "COMMAND")}
        act={() => change("POST", ofApp(app.name, "/run"), { command: text.value })}
        done={watch}
        disabled={text.value.trim() === "" || app.live === null}
      >
        <label>
          <span>Command, in the image and with the environment of its live release</span>
          <input value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} spellcheck={false} autocomplete="off" />
        </label>
      </Action>
    </Panel>
  );
}

function Run({ id, close }: { id: number; close: () => void }) {
  const run = useResource<OneOff>(`/api/runs/${id}`, (event) => event.data["execution"] === id);
  return (
    <Panel title={`Command ${id}`} aside={<button type="button" class="quiet" onClick={close}>Close</button>}>
      <Read from={run} what={`command ${id}`}>
        {(found) => (
          <>
            <Facts of={[["State", <State state={found.state} of="execution" />], ["Exit", found.exit_code], ["Took", took(found.duration_ms)], ["By", found.actor], ["Release", found.release]]} />
            {found.sentence && <div class="failure"><p>{found.sentence}</p><Hint text={found.hint} /></div>}
            <h3>stdout</h3>
            <Output text={found.stdout} label="stdout" />
            <h3>stderr</h3>
            <Output text={found.stderr} label="stderr" />
          </>
        )}
      </Read>
    </Panel>
  );
}
