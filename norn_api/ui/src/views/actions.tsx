// What can be done with an app: each is a form with the command that does the same.

import { useSignal } from "@preact/signals";
import type { FunctionComponent } from "preact";
import { change, ofApp } from "../api/client";
import type { AppDetail, ListOf, Plan, Release, Work } from "../api/types";
import { useResource } from "../state/resource";
import { Action } from "../parts/action";
import { Hint, Read, Time, useFocus } from "../parts/basics";
import { command } from "../parts/shell";
import { short } from "../parts/states";

export type ActionName = "forge" | "deploy" | "rollback" | "restart" | "scale" | "teardown";

interface FormProps {
  app: AppDetail;
  done: (work: Work) => void;
  cancel: () => void;
}

interface Offer {
  name: ActionName;
  title: string;
  form: FunctionComponent<FormProps>;
  roles?: readonly string[];
  danger?: boolean;
  offered?: (app: AppDetail) => boolean;
}

const SERVED = ["webserver", "worker"];

function post(app: AppDetail, verb: string, body: unknown): Promise<Work> {
  return change<Work>("POST", ofApp(app.name, `/${verb}`), body);
}

function Forge({ app, done, cancel }: FormProps) {
  return (
    <Action verb={`Forge ${app.name}`} command={command("norn", "forge", app.name)} act={() => post(app, "forge", {})} done={done} cancel={cancel}>
      <p>Creates its infrastructure, and brings its live release to a changed infraspec without a build.</p>
      <PlanOf app={app} />
    </Action>
  );
}

function Deploy({ app, done, cancel }: FormProps) {
  const ref = useSignal("");
  const field = useFocus<HTMLInputElement>();
  const git = app.source === "git";
  const wanted = ref.value.trim();
  return (
    <Action
      verb={`Deploy ${app.name}`}
      command={command("norn", "deploy", app.name, wanted)}
      act={() => post(app, "deploy", wanted === "" ? {} : { ref: wanted })}
      done={done}
      cancel={cancel}
    >
      {git ? (
        <label>
          <span>Branch, tag or commit; empty for the branch of its infraspec</span>
          <input ref={field} value={ref.value} onInput={(event) => (ref.value = event.currentTarget.value)} placeholder="main" spellcheck={false} autocomplete="off" />
        </label>
      ) : (
        <p>{from(app)}</p>
      )}
      <PlanOf app={app} />
    </Action>
  );
}

/** What would change, field by field, and what would stop it. */
function PlanOf({ app }: { app: AppDetail }) {
  const plan = useResource<Plan>(ofApp(app.name, "/plan"), (event) => event.app === app.name && event.kind === "app.applied");
  return (
    <Read from={plan} what="what would change">
      {(found) => (
        <>
          {found.blockers.map((each) => (
            <div key={each.sentence} class="failure">
              <p>{each.sentence}</p>
              <Hint text={each.hint} />
            </div>
          ))}
          {found.changes.length + found.creates.length === 0 && <p class="muted">Its infraspec changes nothing.</p>}
          <ul class="plan">
            {found.creates.map((each) => (
              <li key={each.what}>forge makes {each.what}</li>
            ))}
            {found.changes.map((each) => (
              <li key={each.field}>
                {each.by} changes <code>{each.field}</code> from <code>{each.before ?? "unset"}</code> to <code>{each.after ?? "unset"}</code>
              </li>
            ))}
          </ul>
        </>
      )}
    </Read>
  );
}

function from(app: AppDetail): string {
  if (app.source === "upload") return `Deploys the source that was uploaded last${app.upload ? `: ${app.upload.revision}, ${app.upload.files} files, by ${app.upload.actor}` : ""}.`;
  if (app.source === "directory") return `Deploys the files of ${app.origin ?? app.directory ?? "its directory"} on the server.`;
  return "This app has no source yet. In its directory: norn deploy .";
}

function Rollback({ app, done, cancel }: FormProps) {
  const releases = useResource<ListOf<Release>>(ofApp(app.name, "/releases"));
  return (
    <Read from={releases} what="its releases">
      {({ items }) => <RollbackTo app={app} done={done} cancel={cancel} releases={items.filter((each) => !each.live && each.live_at !== null && each.pruned_at === null)} />}
    </Read>
  );
}

function RollbackTo({ app, done, cancel, releases }: FormProps & { releases: Release[] }) {
  const chosen = useSignal<number | null>(releases[0]?.n ?? null);
  if (releases.length === 0) return <p class="note">There is no earlier release to go back to.</p>;
  return (
    <Action
      verb={`Roll back to release ${chosen.value ?? ""}`}
      command={command("norn", "rollback", app.name, chosen.value)}
      act={() => post(app, "rollback", { release: chosen.value })}
      done={done}
      cancel={cancel}
    >
      <fieldset class="choices">
        <legend>Release, newest first; now live: {app.live?.release ?? "none"}</legend>
        {releases.map((each) => (
          <label key={each.n} class="choice">
            <input type="radio" name="release" checked={chosen.value === each.n} onChange={() => (chosen.value = each.n)} />
            <span>
              <b>{each.n}</b> {short(each.revision)} {each.ref ?? ""} made <Time at={each.created_at} /> by {each.actor ?? "nobody"} <code>{each.image ?? ""}</code>
            </span>
          </label>
        ))}
      </fieldset>
    </Action>
  );
}

function Restart({ app, done, cancel }: FormProps) {
  const now = useSignal(false);
  return (
    <Action
      verb={`Restart ${app.name}`}
      command={now.value ? command("norn", "restart", app.name, "--now") : command("norn", "restart", app.name)}
      act={() => post(app, "restart", now.value ? { now: true } : {})}
      done={done}
      cancel={cancel}
    >
      <p>Replaces its containers by new ones of the same release, one after the other.</p>
      {app.role === "webserver" && (
        <label class="choice">
          <input type="checkbox" checked={now.value} onChange={() => (now.value = !now.value)} />
          <span>Also end open connections, such as WebSockets, and old containers that were kept for them</span>
        </label>
      )}
    </Action>
  );
}

function Scale({ app, done, cancel }: FormProps) {
  const replicas = useSignal(String(app.wanted ?? 1));
  const reset = useSignal(false);
  return (
    <Action
      verb={reset.value ? "Go back to the infraspec" : `Scale to ${replicas.value}`}
      command={reset.value ? command("norn", "scale", app.name, "--reset") : command("norn", "scale", app.name, replicas.value)}
      act={() => post(app, "scale", reset.value ? { reset: true } : { replicas: Number(replicas.value) })}
      done={done}
      cancel={cancel}
    >
      <label>
        <span>Replicas</span>
        <input type="number" min="0" max="100" required={!reset.value} disabled={reset.value} value={replicas.value} onInput={(event) => (replicas.value = event.currentTarget.value)} />
      </label>
      {app.replicas_override && (
        <label class="choice">
          <input type="checkbox" checked={reset.value} onChange={() => (reset.value = !reset.value)} />
          <span>the number of the infraspec again</span>
        </label>
      )}
    </Action>
  );
}

function Teardown({ app, done, cancel }: FormProps) {
  const purge = useSignal(false);
  return (
    <Action
      verb={`Tear down ${app.name}`}
      command={command("norn", "teardown", app.name, purge.value && "--purge")}
      act={() => post(app, "teardown", { purge: purge.value })}
      done={done}
      cancel={cancel}
      confirm={app.name}
      danger
    >
      <p>Removes what forge created: its containers stop, its address no longer answers. The job lists what it keeps.</p>
      <label class="choice">
        <input type="checkbox" checked={purge.value} onChange={() => (purge.value = !purge.value)} />
        <span>remove also what a teardown keeps, such as its volumes and secrets</span>
      </label>
    </Action>
  );
}

const FORGED = (app: AppDetail) => app.forge.state !== "unforged";

/** The actions in the order of their buttons. */
export const ACTIONS: readonly Offer[] = [
  { name: "deploy", title: "Deploy", form: Deploy },
  { name: "forge", title: "Forge", form: Forge },
  { name: "rollback", title: "Rollback", form: Rollback, offered: (app) => app.live !== null },
  { name: "restart", title: "Restart", form: Restart, roles: SERVED, offered: (app) => app.live !== null },
  { name: "scale", title: "Scale", form: Scale, roles: SERVED, offered: (app) => app.live !== null },
  { name: "teardown", title: "Teardown", form: Teardown, danger: true, offered: FORGED },
];
