// A card for each app, those in trouble first, with filters and a search.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { App } from "../api/types";
import { apps, appList, appsProblem, bars, readAll } from "../state/apps";
import { took } from "../state/clock";
import { to } from "../state/router";
import { Bar } from "../parts/bar";
import { Failure, Hint, State, Time, Waiting } from "../parts/basics";
import { tone } from "../parts/states";
import { FirstRun } from "./firstrun";

const search = signal("");
const role = signal("");
const trouble = signal("");
const owner = signal("");
const begun = Date.now();
const RANK = { bad: 0, warn: 1, busy: 2, good: 3, idle: 4 };

/** Returns true if something is wrong with an app. */
export function inTrouble(app: App): boolean {
  const kind = tone(app.state);
  return kind === "bad" || kind === "warn" || app.alerts.length > 0 || failedLast(app);
}

function failedLast(app: App): boolean {
  return app.last_deployment?.state === "failed" && !app.last_deployment.live;
}

function wanted(app: App): boolean {
  const text = search.value.trim().toLowerCase();
  if (text !== "" && ![app.name, app.role, app.state, app.url].some((each) => each?.toLowerCase().includes(text))) return false;
  if (role.value !== "" && app.role !== role.value) return false;
  if (trouble.value === "trouble" && !inTrouble(app)) return false;
  if (trouble.value !== "" && trouble.value !== "trouble" && app.state !== trouble.value) return false;
  return owner.value === "" || app.core === (owner.value === "core");
}

function rank(app: App): number {
  return app.alerts.length > 0 || failedLast(app) ? 0 : RANK[tone(app.state)];
}

/** The first view: all apps. */
export function Cards() {
  useEffect(() => {
    document.title = "Apps · Norn";
  }, []);
  const all = appList.value;
  const shown = all.filter(wanted).sort((a, b) => rank(a) - rank(b));
  if (apps.value === undefined) {
    return appsProblem.value ? <Failure problem={appsProblem.value} again={() => void readAll()} /> : <Waiting since={begun} what="reading the apps" />;
  }
  if (all.length === 0) return <FirstRun />;
  return (
    <>
      <h1 class="unseen">Apps</h1>
      <Failure problem={appsProblem.value} again={() => void readAll()} />
      <Filters all={all} shown={shown.length} />
      {shown.length === 0 && <p class="note">No app is like that.</p>}
      <ul class="cards">
        {shown.map((app) => (
          <Card key={app.name} app={app} />
        ))}
      </ul>
    </>
  );
}

function Filters({ all, shown }: { all: readonly App[]; shown: number }) {
  const states = [...new Set(all.map((app) => app.state))].sort();
  return (
    <div class="filters">
      <input type="search" id="search" aria-label="Search apps" placeholder="Search  /" value={search.value} onInput={(event) => (search.value = event.currentTarget.value)} />
      <select aria-label="Role" value={role.value} onChange={(event) => (role.value = event.currentTarget.value)}>
        <option value="">every role</option>
        {["webserver", "worker", "cron", "function"].map((each) => (
          <option key={each} value={each}>{each}</option>
        ))}
      </select>
      <select aria-label="State" value={trouble.value} onChange={(event) => (trouble.value = event.currentTarget.value)}>
        <option value="">every state</option>
        <option value="trouble">in trouble</option>
        {states.map((each) => (
          <option key={each} value={each}>{each}</option>
        ))}
      </select>
      {all.some((app) => app.core) && (
        <select aria-label="Owner" value={owner.value} onChange={(event) => (owner.value = event.currentTarget.value)}>
          <option value="">core and others</option>
          <option value="core">core only</option>
          <option value="other">others only</option>
        </select>
      )}
      <span class="muted" role="status">
        {shown === all.length ? `${shown} apps` : `${shown} of ${all.length} apps`}
      </span>
    </div>
  );
}

function Card({ app }: { app: App }) {
  return (
    <li class={`card ${inTrouble(app) ? "trouble" : ""}`}>
      <div class="card-head">
        <h2>
          <a href={to("apps", app.name)}>{app.name}</a>
        </h2>
        <State state={app.state} />
      </div>
      <p class="card-line muted">
        {app.role ?? "no role"}
        {app.wanted !== null && ` · ${app.ready ?? 0} of ${app.wanted} ready`}
        {app.live && (
          <>
            {" · "}release {app.live.release}, <Time at={app.live.at} />
          </>
        )}
        {app.core && " · core"}
      </p>
      {app.role === "cron" && <CronLines app={app} />}
      {app.role === "function" && <CallLine app={app} />}
      {app.url && app.live && app.role !== "function" && (
        <p class="card-line">
          <a href={webAddress(app.url)} target="_blank" rel="noopener noreferrer">
            {app.url}
          </a>
        </p>
      )}
      {app.running_job && (
        <p class="card-line">
          <State state="running" of="job" /> {app.running_job.kind} in <a href={to("jobs", app.running_job.id)}>job {app.running_job.id}</a>
        </p>
      )}
      {app.alerts.map((alert) => (
        <p key={alert.id} class="alert-line">
          {alert.sentence}
        </p>
      ))}
      {app.mistakes.slice(0, 3).map((mistake) => (
        <p key={`${mistake.line} ${mistake.field} ${mistake.message}`} class="alert-line">
          {mistake.file}:{mistake.line}: {mistake.field}: {mistake.message}
        </p>
      ))}
      {failedLast(app) && app.alerts.length === 0 && (
        <div class="alert-line">
          <p>last deploy failed: {app.last_deployment?.error?.sentence ?? ""}</p>
          <Hint text={app.last_deployment?.error?.hint} />
        </div>
      )}
    </li>
  );
}

/** Returns an address as a link may have it: nothing but http and https. */
export function webAddress(url: string): string {
  const full = url.includes("://") ? url : `http://${url}`;
  return /^https?:/i.test(full) ? full : "about:blank";
}

function CronLines({ app }: { app: App }) {
  const schedule = app.schedule;
  if (schedule === null) return null;
  const marks = bars.value.get(app.name) ?? [];
  return (
    <>
      <p class="card-line">
        {schedule.words || <code>{schedule.text}</code>} ({schedule.timezone})
        {schedule.next && schedule.paused === null && (
          <>
            , next <Time at={schedule.next} />
          </>
        )}
        {schedule.paused && `, paused by ${schedule.paused.by}${schedule.paused.reason ? `: ${schedule.paused.reason}` : ""}`}
      </p>
      {marks.length > 0 && <Bar marks={marks} />}
    </>
  );
}

function CallLine({ app }: { app: App }) {
  const figures = app.figures;
  return (
    <>
      {app.url && (
        <p class="card-line">
          <code>{app.url}</code>
        </p>
      )}
      {figures && (
        <p class="card-line">
          last hour: {figures.calls} calls, {figures.errors} failed
          {figures.calls > 0 && figures.p50_ms !== null && (
            <>
              , <span class="together">p50 {took(figures.p50_ms)}</span>, <span class="together">p99 {took(figures.p99_ms)}</span>
            </>
          )}
        </p>
      )}
    </>
  );
}
