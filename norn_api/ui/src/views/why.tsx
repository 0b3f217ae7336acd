// Why an app is as it is: one timeline from the request to the container, newest first.

import { ofApp } from "../api/client";
import type { AppDetail, Deployment, ListOf, WhyPage } from "../api/types";
import { useResource } from "../state/resource";
import { to } from "../state/router";
import { Command, Hint, Output, Panel, Read, State, Time } from "../parts/basics";
import { command } from "../parts/shell";
import { short, word } from "../parts/states";

/** The tab that explains an app's state. */
export function WhyView({ app }: { app: AppDetail }) {
  const mine = (event: { app: string | null }) => event.app === app.name;
  const why = useResource<WhyPage>(ofApp(app.name, "/why"), mine);
  const deployments = useResource<ListOf<Deployment>>(ofApp(app.name, "/deployments?limit=15"), mine);
  return (
    <Panel title="Why">
      <Read from={why} what="what happened">
        {(found) => (
          <>
            <p class="lead">{found.sentence}</p>
            <Hint text={found.hint} />
            {found.message && <p class="note">{found.message}</p>}
            {found.reasons.length > 0 && <h3>What failed last</h3>}
            <ol class="timeline">
              {found.reasons.map((reason) => (
                <Reason key={`${reason.kind} ${reason.job} ${reason.execution} ${reason.at}`} reason={reason} />
              ))}
            </ol>
          </>
        )}
      </Read>
      <h3>From request to container</h3>
      <Read from={deployments} what="its deployments">
        {({ items }) => <Timeline app={app} deployments={items} />}
      </Read>
      <Command text={command("norn", "why", app.name)} />
    </Panel>
  );
}

function Reason({ reason }: { reason: WhyPage["reasons"][number] }) {
  return (
    <li class="bad">
      <p>
        <b>
          {word(reason.kind)} {word(reason.state)}
        </b>
        {reason.step && <> in the step {reason.step}</>} <Time at={reason.at} />
        {reason.job !== null && (
          <>
            , <a href={to("jobs", reason.job)}>job {reason.job}</a>
          </>
        )}
        {reason.release !== null && <>, release {reason.release}</>}
      </p>
      <p>{reason.sentence}</p>
      {reason.last_lines.length > 0 && <Output text={reason.last_lines.join("\n")} label="its last lines" />}
      <Hint text={reason.hint} />
      {reason.returned && (
        <p class="muted">
          Deployment {reason.returned.deployment} returned it to release {reason.returned.release}: <State state={reason.returned.state} />
        </p>
      )}
    </li>
  );
}

function Timeline({ app, deployments }: { app: AppDetail; deployments: readonly Deployment[] }) {
  return (
    <ol class="timeline">
      {app.replicas.map((replica) => (
        <li key={`${replica.name} ${replica.until ?? ""}`} class={replica.healthy === false ? "bad" : "good"}>
          <p>
            container <code>{replica.name}</code> of release {replica.release}: <State state={replica.state} />
            {replica.restarts > 0 && `, restarted ${replica.restarts} times`} <span class="muted">seen <Time at={app.seen_at} /></span>
          </p>
          {replica.message && <p>{replica.message}</p>}
        </li>
      ))}
      {deployments.map((each) => (
        <li key={each.id} class={each.state === "failed" ? "bad" : each.live ? "good" : "idle"}>
          <p>
            <b>{each.kind}</b> <State state={each.state} /> release {each.release} {short(each.revision)}, asked for by {each.actor} <Time at={each.created_at} />,{" "}
            <a href={to("jobs", each.job)}>job {each.job}</a>
            {each.live && ", live now"}
          </p>
          {each.error && <p>{each.error.sentence}</p>}
          <Hint text={each.error?.hint} />
        </li>
      ))}
      {deployments.length === 0 && <li class="idle"><p>It was never deployed.</p></li>}
    </ol>
  );
}
