// One app: what it is, what can be done with it, and its tabs.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { ofApp } from "../api/client";
import type { AppDetail, NornEvent, Work } from "../api/types";
import { to } from "../state/router";
import { useResource } from "../state/resource";
import { may } from "../state/session";
import { Facts, Hint, Read, State, Time } from "../parts/basics";
import { JobPanel } from "../parts/job";
import { short, tone, word } from "../parts/states";
import { ACTIONS, type ActionName } from "./actions";
import { webAddress } from "./cards";
import { CronPanel } from "./cron";
import { DatabaseView } from "./database";
import { FunctionPanel } from "./function";
import { JobList } from "./jobs";
import { Logs } from "./logs";
import { Releases } from "./releases";
import { Runs } from "./runs";
import { Secrets } from "./secrets";
import { Overview } from "./overview";
import { WhyView } from "./why";

/** The job that the user started last for each app: its panel stays until it is closed. */
export const watched = signal<ReadonlyMap<string, number>>(new Map());

/** Shows the job of accepted work in the app's view. */
export function watch(work: Work): void {
  watched.value = new Map(watched.value).set(work.app, work.job);
}

function unwatch(app: string): void {
  const next = new Map(watched.value);
  next.delete(app);
  watched.value = next;
}

const opened = signal<ActionName | null>(null);
/** Opens the form of an action in the view of the app that is shown. */
export function openAction(name: ActionName): void {
  opened.value = name;
}

interface Tab {
  name: string;
  title: string;
  roles?: readonly string[];
  view: (app: AppDetail) => ComponentChildren;
}

const TABS: readonly Tab[] = [
  { name: "overview", title: "Overview", view: (app) => <Overview app={app} /> },
  { name: "cron", title: "Cron", roles: ["cron"], view: (app) => <CronPanel app={app} /> },
  { name: "invoke", title: "Invoke", roles: ["function"], view: (app) => <FunctionPanel app={app} /> },
  { name: "logs", title: "Logs", view: (app) => <Logs key={app.name} app={app} /> },
  { name: "why", title: "Why", view: (app) => <WhyView app={app} /> },
  { name: "releases", title: "Releases", view: (app) => <Releases app={app} /> },
  { name: "jobs", title: "Jobs", view: (app) => <JobList app={app.name} /> },
  { name: "runs", title: "Commands", view: (app) => <Runs app={app} /> },
  { name: "database", title: "Database", view: (app) => <DatabaseView key={app.name} app={app} /> },
  { name: "secrets", title: "Secrets", view: (app) => <Secrets app={app} /> },
];
const FIRST: Record<string, string> = { cron: "cron", function: "invoke" };

/** The view of one app. */
export function AppView({ name, tab }: { name: string; tab: string | undefined }) {
  const app = useResource<AppDetail>(ofApp(name), about(name));
  useEffect(() => {
    document.title = `${name} · Norn`;
    opened.value = null;
  }, [name]);
  return (
    <Read from={app} what={name}>
      {(found) => <Shown app={found} tab={tab} />}
    </Read>
  );
}

function about(name: string): (event: NornEvent) => boolean {
  return (event) => event.app === name && !event.kind.startsWith("step.");
}

function Shown({ app, tab }: { app: AppDetail; tab: string | undefined }) {
  const tabs = TABS.filter((each) => each.roles === undefined || each.roles.includes(app.role ?? ""));
  const current = tabs.find((each) => each.name === (tab ?? FIRST[app.role ?? ""] ?? "overview")) ?? tabs[0];
  const job = watched.value.get(app.name) ?? app.running_job?.id;
  return (
    <>
      <Head app={app} />
      {may("deploy") && <Actions app={app} />}
      {job !== undefined && <JobPanel key={job} id={job} {...(watched.value.has(app.name) ? { close: () => unwatch(app.name) } : {})} />}
      <nav class="tabs" aria-label={`Views of ${app.name}`}>
        {tabs.map((each) => (
          <a key={each.name} href={to("apps", app.name, each.name)} aria-current={each === current ? "page" : undefined}>
            {each.title}
          </a>
        ))}
      </nav>
      {current?.view(app)}
    </>
  );
}

function Head({ app }: { app: AppDetail }) {
  const deployment = app.last_deployment;
  const failed = deployment?.state === "failed" && !deployment.live;
  return (
    <header class="app-head">
      <div class="title">
        <h1>{app.name}</h1>
        <State state={app.state} />
        <span class="muted">
          {app.role}
          {app.core && ", core"}
        </span>
      </div>
      <Facts
        of={[
          ["Ready", app.wanted === null ? "" : `${app.ready ?? 0} of ${app.wanted}`],
          ["Release", app.live && <>{app.live.release}, {short(app.live.revision)}, live <Time at={app.live.at} /></>],
          ["Address", address(app)],
          ["Source", app.origin ?? app.source],
          ["Cluster", app.cluster],
          ["Scaled by", app.replicas_override && `${app.replicas_override.by} to ${app.replicas_override.replicas}`],
        ]}
      />
      {app.alerts.map((alert) => (
        <div key={alert.id} class="failure" role="alert">
          <p>
            <b>{word(alert.kind)}</b>: {alert.sentence} (<Time at={alert.raised_at} />)
          </p>
          <Hint text={alert.hint} />
        </div>
      ))}
      {failed && !app.alerts.some((alert) => alert.kind === "deploy-failed") && (
        <div class="failure">
          <p>
            The last deploy failed{app.live ? `, and release ${app.live.release} serves on` : ""}: {deployment.error?.sentence}
          </p>
          <Hint text={deployment.error?.hint} />
        </div>
      )}
      {app.mistakes.length > 0 && (
        <ul class="failure">
          {app.mistakes.map((each) => (
            <li key={`${each.line} ${each.message}`}>
              {each.file}:{each.line}:{each.column}: <code>{each.field}</code>: {each.message} {each.hint}
            </li>
          ))}
        </ul>
      )}
      {app.message && tone(app.state) !== "good" && <p class="note">{app.message}</p>}
      {app.notices.map((each) => (
        <p key={each} class="note">
          {each}
        </p>
      ))}
    </header>
  );
}

function address(app: AppDetail): ComponentChildren {
  if (app.url === null) return "";
  if (app.role === "function") return <code>{app.url}</code>;
  return (
    <a href={webAddress(app.url)} target="_blank" rel="noopener noreferrer">
      {app.url}
    </a>
  );
}

function Actions({ app }: { app: AppDetail }) {
  const offered = ACTIONS.filter((each) => each.roles === undefined || each.roles.includes(app.role ?? "")).filter((each) => each.offered?.(app) ?? true);
  const current = offered.find((each) => each.name === opened.value);
  return (
    <div class="actions">
      <div class="buttons" role="group" aria-label="Actions">
        {offered.map((each) => (
          <button
            key={each.name}
            type="button"
            class={each.danger ? "quiet danger-text" : "quiet"}
            aria-expanded={each === current}
            onClick={() => (opened.value = each === current ? null : each.name)}
          >
            {each.title}
          </button>
        ))}
      </div>
      {current && (
        <div class="panel">
          <current.form
            app={app}
            cancel={() => (opened.value = null)}
            done={(work) => {
              if (opened.value === current.name) opened.value = null;
              watch(work);
            }}
          />
        </div>
      )}
    </div>
  );
}

