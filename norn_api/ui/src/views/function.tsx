// A function: invoke it, see what each call answered, and call it again.

import { useSignal } from "@preact/signals";
import { address, change, ofApp, send } from "../api/client";
import type { AppDetail, Call, CallRecord, Compared, ListOf, Release, Work } from "../api/types";
import { took } from "../state/clock";
import { useResource } from "../state/resource";
import { may } from "../state/session";
import { Action } from "../parts/action";
import { Command, Facts, Hint, Output, Panel, Read, State, Table, Time } from "../parts/basics";
import { DiffOf } from "../parts/diff";
import { command, quoted } from "../parts/shell";

const METHODS = ["POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/** The tab of a function. */
export function FunctionPanel({ app }: { app: AppDetail }) {
  const history = useResource<ListOf<Call>>(ofApp(app.name, "/function/history?limit=30"), (event) => event.app === app.name && /^(execution|job)\./.test(event.kind));
  const shown = useSignal<number | null>(null);
  const answer = useSignal<CallRecord | null>(null);
  return (
    <>
      {may("invoke") && (
        <Panel title="Invoke">
          <Invoke
            app={app}
            answered={(record) => {
              answer.value = record;
              shown.value = null;
            }}
          />
          {answer.value && <Answer record={answer.value} />}
        </Panel>
      )}
      {shown.value !== null && <Shown key={shown.value} app={app} id={shown.value} open={(id) => (shown.value = id)} close={() => (shown.value = null)} />}
      <Panel title="Calls">
        <Read from={history} what="its calls">
          {({ items }) => <Calls items={items} open={(id) => (shown.value = id)} />}
        </Read>
      </Panel>
    </>
  );
}

function Invoke({ app, answered }: { app: AppDetail; answered: (record: CallRecord) => void }) {
  const method = useSignal("POST");
  const path = useSignal("/");
  const headers = useSignal("");
  const body = useSignal("");
  const file = useSignal<File | null>(null);
  const given = () => parsed(headers.value);
  const call = async () => {
    const query = { method: method.value, path: path.value };
    const content: BodyInit = file.value ?? body.value;
    const sent = await send(address(ofApp(app.name, "/invoke"), query), { method: "POST", headers: Object.fromEntries(given()), body: content });
    return (await sent.json()) as CallRecord;
  };
  return (
    <Action verb={`Invoke ${app.name}`} command={asNorn(app.name, method.value, path.value, given(), file.value ? `@${file.value.name}` : body.value)} act={call} done={answered} disabled={app.live === null}>
      {app.live === null && <p class="note">It was never deployed: norn deploy {app.name}</p>}
      <div class="row">
        <label class="narrow">
          <span>Method</span>
          <select value={method.value} onChange={(event) => (method.value = event.currentTarget.value)}>
            {METHODS.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
        <label class="wide">
          <span>Path, with ?query if there is one</span>
          <input required pattern="/.*" value={path.value} onInput={(event) => (path.value = event.currentTarget.value)} spellcheck={false} autocomplete="off" />
        </label>
      </div>
      <label>
        <span>Headers, one Name: value a line</span>
        <textarea rows={2} value={headers.value} onInput={(event) => (headers.value = event.currentTarget.value)} spellcheck={false} placeholder="Content-Type: application/json" />
      </label>
      <label>
        <span>Body</span>
        <textarea rows={5} value={body.value} disabled={file.value !== null} onInput={(event) => (body.value = event.currentTarget.value)} spellcheck={false} />
      </label>
      <label>
        <span>or a file as the body</span>
        <input type="file" onChange={(event) => (file.value = event.currentTarget.files?.[0] ?? null)} />
      </label>
      <Command text={asCurl(app.name, method.value, path.value, given(), file.value ? `@${file.value.name}` : body.value)} label="The same call with curl" />
    </Action>
  );
}

function parsed(text: string): [string, string][] {
  return text
    .split("\n")
    .map((line) => line.split(/:(.*)/s))
    .filter(([name, value]) => name?.trim() && value !== undefined)
    .map(([name, value]) => [(name ?? "").trim(), (value ?? "").trim()]);
}

function asNorn(app: string, method: string, path: string, headers: [string, string][], body: string): string {
  const flags = headers.flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  return command("norn", "invoke", app, ...(method === "POST" ? [] : ["-X", method]), ...(path === "/" ? [] : ["--path", path]), ...flags, ...(body ? ["--body", body] : []));
}

function asCurl(app: string, method: string, path: string, headers: [string, string][], body: string): string {
  const flags = headers.map(([name, value]) => ` -H ${quoted(`${name}: ${value}`)}`).join("");
  const data = body ? ` --data-binary ${quoted(body)}` : "";
  return `curl -X ${method} -H "Authorization: Bearer $NORN_TOKEN"${flags}${data} ${quoted(`${location.origin}/fn/${app}${path === "/" ? "" : path}`)}`;
}

function Answer({ record }: { record: CallRecord }) {
  const facts = [
    ["Status", <State state={record.state} of="execution" />],
    ["Time", took(record.duration_ms)],
    ["Exit", record.exit_code],
    ["Call", record.id],
    ["Release", record.release],
    ["Answer", record.response_size === null ? "" : `${record.response_size} bytes`],
  ] as const;
  return (
    <div class="inset" role="region" aria-label={`call ${record.id}`}>
      <Facts of={facts} />
      {record.sentence && (
        <div class="failure" role="alert">
          <p>{record.sentence}</p>
          <Hint text={record.hint} />
        </div>
      )}
      <h3>stdout</h3>
      {record.stdout_base64 ? <Binary record={record} /> : <Output text={record.stdout} label="stdout" />}
      <h3>stderr</h3>
      <Output text={record.stderr} label="stderr" />
    </div>
  );
}

function Binary({ record }: { record: CallRecord }) {
  return (
    <p>
      {record.response_size} bytes that are not text. <code>{command("norn", "fn", "show", record.id, "--answer")}</code> prints them.
    </p>
  );
}

function Calls({ items, open }: { items: readonly Call[]; open: (id: number) => void }) {
  if (items.length === 0) return <p class="muted">Nobody has called it yet.</p>;
  return (
    <Table label="Calls" head={["Call", "When", "State", "Took", "Request", "Release", "By", "Why"]}>
      {items.map((each) => (
        <tr key={each.id}>
          <td>
            <button type="button" class="quiet" onClick={() => open(each.id)} aria-label={`Open call ${each.id}`}>
              {each.id}
            </button>
          </td>
          <td><Time at={each.created_at} /></td>
          <td><State state={each.state} of="execution" /></td>
          <td>{took(each.duration_ms)}</td>
          <td><code>{each.method} {each.path}{each.query ? `?${each.query}` : ""}</code></td>
          <td>{each.release}</td>
          <td>{each.actor}</td>
          <td>{each.sentence}</td>
        </tr>
      ))}
    </Table>
  );
}

/** A recorded call, with its repetition beside it. */
function Shown({ app, id, open, close }: { app: AppDetail; id: number; open: (id: number) => void; close: () => void }) {
  const record = useResource<CallRecord>(`/api/invocations/${id}`, (event) => event.data["execution"] === id);
  const again = useSignal<number | null>(null);
  return (
    <Panel title={`Call ${id}`} aside={<button type="button" class="quiet" onClick={close}>Close</button>}>
      <Read from={record} what={`call ${id}`}>
        {(found) => (
          <>
            <Answer record={found} />
            {may("invoke") && <Again app={app} record={found} done={(work) => (again.value = work.execution ?? null)} />}
            {again.value !== null && <Repeated key={again.value} first={id} id={again.value} open={open} />}
          </>
        )}
      </Read>
    </Panel>
  );
}

/** The repetition of a call, and once it has ended, the differences of its answer. */
function Repeated({ first, id, open }: { first: number; id: number; open: (id: number) => void }) {
  const record = useResource<CallRecord>(`/api/invocations/${id}`, (event) => event.data["execution"] === id);
  return (
    <Read from={record} what={`call ${id}`}>
      {(found) => (
        <>
          <h3>
            Call{" "}
            <button type="button" class="quiet" onClick={() => open(id)}>{id}</button> on release {found.release}, <State state={found.state} of="execution" /> {took(found.duration_ms)}
          </h3>
          {found.sentence && <div class="failure"><p>{found.sentence}</p><Hint text={found.hint} /></div>}
          {found.finished_at !== null && <Differences first={first} second={id} />}
        </>
      )}
    </Read>
  );
}

function Differences({ first, second }: { first: number; second: number }) {
  const compared = useResource<Compared>(`/api/invocations/${first}/comparison/${second}`);
  return (
    <Read from={compared} what="the differences">
      {(found) => <DiffOf compared={found} />}
    </Read>
  );
}

function Again({ app, record, done }: { app: AppDetail; record: CallRecord; done: (work: Work) => void }) {
  const releases = useResource<ListOf<Release>>(ofApp(app.name, "/releases"));
  const chosen = useSignal("");
  const offered = (releases.data.value?.items ?? []).filter((each) => each.live_at !== null && each.pruned_at === null);
  const replay = () => change<Work>("POST", `/api/invocations/${record.id}/replay`, chosen.value === "" ? {} : { release: Number(chosen.value) });
  return (
    <Action verb="Call again" command={command("norn", "fn", "replay", record.id, "--diff", ...(chosen.value ? ["--release", chosen.value] : []))} act={replay} done={done}>
      <label>
        <span>On</span>
        <select value={chosen.value} onChange={(event) => (chosen.value = event.currentTarget.value)}>
          <option value="">the live release</option>
          {offered.map((each) => (
            <option key={each.n} value={String(each.n)}>release {each.n}</option>
          ))}
        </select>
      </label>
    </Action>
  );
}
