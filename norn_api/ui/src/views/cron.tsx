// The Cron Panel: the schedule, what it did, and what it does next.

import { useSignal } from "@preact/signals";
import { address, change, get, ofApp } from "../api/client";
import type { AppDetail, Cron, CronRun, ListOf, Next, Schedule, Tick, Work } from "../api/types";
import { took } from "../state/clock";
import { useResource } from "../state/resource";
import { may } from "../state/session";
import { Action } from "../parts/action";
import { Bar } from "../parts/bar";
import { Facts, Hint, Output, Panel, Read, State, Table, Time, useFocus } from "../parts/basics";
import { command } from "../parts/shell";
import { word } from "../parts/states";
import { watch } from "./app";

type Form = "run" | "pause" | "resume" | "schedule" | "clear";

/** The tab of a cron app. */
export function CronPanel({ app }: { app: AppDetail }) {
  const mine = (event: { app: string | null; kind: string }) => event.app === app.name && !event.kind.startsWith("step.");
  const cron = useResource<Cron>(ofApp(app.name, "/cron"), mine);
  const coming = useResource<Next>(ofApp(app.name, "/cron/next?n=3"), mine);
  const history = useResource<ListOf<Tick>>(ofApp(app.name, "/cron/history?limit=30"), mine);
  const form = useSignal<Form | null>(null);
  const run = useSignal<number | null>(null);
  const done = (name: Form) => {
    if (form.value === name) form.value = null; // another one may have been opened since
    cron.reload();
    coming.reload();
  };
  return (
    <>
      <Read from={cron} what="its schedule">
        {(found) => (
          <Panel title="Schedule">
            <Facts of={facts(found.schedule)} />
            <Read from={coming} what="its next runs">
              {(next) => <Coming next={next} />}
            </Read>
            {may("deploy") && <Buttons schedule={found.schedule} form={form.value} choose={(name) => (form.value = form.value === name ? null : name)} />}
            {form.value && <FormOf key={form.value} form={form.value} app={app} schedule={found.schedule} done={done} cancel={() => (form.value = null)} />}
            <h3>{found.recent.length === 0 ? "No occurrence was due yet" : `The last ${found.recent.length} occurrences`}</h3>
            {found.recent.length > 0 && <Bar marks={found.recent} choose={(mark) => (run.value = mark.execution)} />}
          </Panel>
        )}
      </Read>
      {run.value !== null && <Run key={run.value} app={app.name} execution={run.value} close={() => (run.value = null)} />}
      <Panel title="History">
        <Read from={history} what="its history">
          {({ items }) => <History items={items} open={(execution) => (run.value = execution)} />}
        </Read>
      </Panel>
    </>
  );
}

function facts(schedule: Schedule) {
  return [
    ["Schedule", <>{schedule.words} <code>{schedule.text}</code></>],
    ["Zone", schedule.timezone],
    ["State", <State state={schedule.state} />],
    ["Override", schedule.override && <>override by {schedule.override.by} since <Time at={schedule.override.at} /></>],
    ["Paused", schedule.paused && <>by {schedule.paused.by} <Time at={schedule.paused.at} />{schedule.paused.reason ? `: ${schedule.paused.reason}` : ""}</>],
  ] as const;
}

function Coming({ next }: { next: Next }) {
  if (next.items.length === 0) return <p class="note">Nothing is due.</p>;
  return (
    <>
      {next.paused && <p class="note">It is paused: none of these runs.</p>}
      <ol class="coming">
        {next.items.map((each) => (
          <li key={each.at}>
            <code>
              {each.local} {each.offset}
            </code>{" "}
            <Time at={each.at} /> {each.note && <span class="note-text">{each.note}</span>}
          </li>
        ))}
      </ol>
    </>
  );
}

function Buttons({ schedule, form, choose }: { schedule: Schedule; form: Form | null; choose: (form: Form) => void }) {
  const offered: [Form, string][] = [
    ["run", "Run Now"],
    schedule.paused ? ["resume", "Resume"] : ["pause", "Pause"],
    ["schedule", "Update Schedule"],
  ];
  if (schedule.override) offered.push(["clear", "Clear"]);
  return (
    <div class="buttons" role="group" aria-label="Schedule">
      {offered.map(([name, title]) => (
        <button key={name} type="button" class={name === "run" ? "primary" : "quiet"} aria-expanded={form === name} onClick={() => choose(name)}>
          {title}
        </button>
      ))}
    </div>
  );
}

interface FormProps {
  app: AppDetail;
  schedule: Schedule;
  /** Called once the server has accepted it. */
  done: () => void;
  cancel: () => void;
}

function FormOf({ form, done, ...props }: Omit<FormProps, "done"> & { form: Form; done: (form: Form) => void }) {
  return <div class="inset">{FORMS[form]({ ...props, done: () => done(form) })}</div>;
}

const FORMS: Record<Form, (props: FormProps) => preact.JSX.Element> = {
  run: (props) => <RunNow key="run" {...props} />,
  pause: (props) => <Pause key="pause" {...props} />,
  resume: ({ app, done, cancel }) => (
    <Action key="resume" verb="Resume" command={command("norn", "cron", "resume", app.name)} act={() => change("POST", ofApp(app.name, "/cron/resume"), {})} done={done} cancel={cancel}>
      <p>The schedule goes on from now; occurrences that it skipped do not run.</p>
    </Action>
  ),
  schedule: (props) => <Update key="schedule" {...props} />,
  clear: ({ app, done, cancel }) => (
    <Action key="clear" verb="Clear the override" command={command("norn", "cron", "set-schedule", app.name, "--clear")} act={() => change("DELETE", ofApp(app.name, "/cron/schedule"))} done={done} cancel={cancel}>
      <p>The schedule of the infraspec is in effect again.</p>
    </Action>
  ),
};

function RunNow({ app, done, cancel }: FormProps) {
  const text = useSignal("");
  const variables = useSignal("");
  const force = useSignal(false);
  const field = useFocus<HTMLInputElement>();
  const env = () => Object.fromEntries(variables.value.split("\n").map((line) => line.trim()).filter(Boolean).map(pair));
  const body = () => ({ force: force.value, ...(text.value ? { command: text.value } : {}), env: env() });
  const flags = Object.entries(env()).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  return (
    <Action
      verb="Run Now"
      command={command("norn", "cron", "run", app.name, force.value && "--force", ...(text.value ? ["--command", text.value] : []), ...flags)}
      act={() => change<Work>("POST", ofApp(app.name, "/cron/trigger"), body())}
      done={(work) => {
        watch(work);
        done();
      }}
      cancel={cancel}
    >
      <label>
        <span>Command of this run; empty for the app's</span>
        <input ref={field} value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} spellcheck={false} autocomplete="off" />
      </label>
      <label>
        <span>Variables of this run, one NAME=value a line</span>
        <textarea rows={2} value={variables.value} onInput={(event) => (variables.value = event.currentTarget.value)} spellcheck={false} />
      </label>
      <label class="choice">
        <input type="checkbox" checked={force.value} onChange={() => (force.value = !force.value)} />
        <span>even beside a run that has not ended</span>
      </label>
    </Action>
  );
}

function pair(line: string): [string, string] {
  const at = line.indexOf("=");
  return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
}

function Pause({ app, done, cancel }: FormProps) {
  const reason = useSignal("");
  const field = useFocus<HTMLInputElement>();
  return (
    <Action
      verb="Pause"
      command={command("norn", "cron", "pause", app.name, ...(reason.value ? ["--reason", reason.value] : []))}
      act={() => change("POST", ofApp(app.name, "/cron/pause"), { reason: reason.value })}
      done={done}
      cancel={cancel}
    >
      <label>
        <span>Reason, shown with the pause</span>
        <input ref={field} maxLength={500} value={reason.value} onInput={(event) => (reason.value = event.currentTarget.value)} />
      </label>
    </Action>
  );
}

function Update({ app, schedule, done, cancel }: FormProps) {
  const text = useSignal(schedule.text);
  const zone = useSignal(schedule.timezone);
  const preview = useSignal<Next | null>(null);
  const field = useFocus<HTMLInputElement>();
  const asked = { schedule: text.value, timezone: zone.value };
  const edited = (signal: { value: string }) => (event: { currentTarget: { value: string } }) => {
    signal.value = event.currentTarget.value;
    preview.value = null;
  };
  const flags = ["--timezone", zone.value];
  return (
    <Action
      verb={preview.value ? "Save the schedule" : "Preview"}
      command={command("norn", "cron", "set-schedule", app.name, text.value, ...(zone.value === schedule.timezone ? [] : flags), preview.value === null && "--preview")}
      act={async () => {
        if (preview.value) return change<unknown>("PUT", ofApp(app.name, "/cron/schedule"), asked);
        preview.value = await get<Next>(address(ofApp(app.name, "/cron/next"), { ...asked, n: 3 }));
        return null;
      }}
      done={(result) => {
        if (result !== null) done();
      }}
      cancel={cancel}
    >
      <label>
        <span>Schedule: five fields, or a word such as @daily</span>
        <input ref={field} required value={text.value} onInput={edited(text)} spellcheck={false} autocomplete="off" />
      </label>
      <label>
        <span>Zone</span>
        <input required value={zone.value} onInput={edited(zone)} spellcheck={false} autocomplete="off" />
      </label>
      {preview.value && (
        <div role="status">
          <p>
            It would run {preview.value.words || preview.value.text}:
          </p>
          <Coming next={preview.value} />
        </div>
      )}
    </Action>
  );
}

function History({ items, open }: { items: readonly Tick[]; open: (execution: number) => void }) {
  if (items.length === 0) return <p class="muted">Nothing was due yet, and nobody ran it.</p>;
  return (
    <Table label="History" head={["When", "Verdict", "State", "Took", "Exit", "Why", "Run"]}>
      {items.map((each) => (
        <tr key={`${each.id} ${each.execution} ${each.scheduled_for}`}>
          <td><Time at={each.scheduled_for} /></td>
          <td>{word(each.verdict ?? each.trigger)}{each.how_many > 1 ? ` ×${each.how_many}` : ""}</td>
          <td>{each.state ? <State state={each.state} of="execution" /> : ""}</td>
          <td>{took(each.duration_ms)}</td>
          <td>{each.exit_code ?? ""}</td>
          <td>{each.sentence ?? each.reason}</td>
          <td>
            {each.execution !== null && (
              <button type="button" class="quiet" onClick={() => open(each.execution ?? 0)} aria-label={`Open run ${each.execution}`}>
                {each.execution}
              </button>
            )}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Run({ app, execution, close }: { app: string; execution: number; close: () => void }) {
  const run = useResource<CronRun>(ofApp(app, `/cron/executions/${execution}`), (event) => event.app === app && event.kind.startsWith("execution."));
  return (
    <Panel title={`Run ${execution}`} aside={<button type="button" class="quiet" onClick={close}>Close</button>}>
      <Read from={run} what={`run ${execution}`}>
        {(found) => (
          <>
            <Facts of={[["State", <State state={found.state} of="execution" />], ["Exit", found.exit_code], ["Took", took(found.duration_ms)], ["Begun", <Time at={found.begun_at} />], ["By", found.actor], ["Release", found.release]]} />
            {found.sentence && <div class="failure"><p>{found.sentence}</p><Hint text={found.hint} /></div>}
            <h3>stdout</h3>
            <Output text={found.stdout} label="stdout" />
            {found.stdout_dropped > 0 && <p class="muted">{found.stdout_dropped} bytes in its middle were not kept.</p>}
            <h3>stderr</h3>
            <Output text={found.stderr} label="stderr" />
          </>
        )}
      </Read>
    </Panel>
  );
}
