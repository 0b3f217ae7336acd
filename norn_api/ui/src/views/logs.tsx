// The log of an app. Only the lines that are seen are in the document, so that 100,000 cost no more than a hundred.

import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { asProblem } from "../api/client";
import { now } from "../state/clock";
import type { AppDetail, LogLine } from "../api/types";
import { save } from "../parts/save";
import { LogReading } from "../state/loglines";
import { pieces, plain } from "../parts/ansi";
import { Command, Failure, Waiting } from "../parts/basics";
import { command } from "../parts/shell";

const ROW = 20;
const AROUND = 20;
const LONGEST = 4000;

interface Wanted {
  grep: string;
  previous: boolean;
  tail: number;
}

/** The tab of an app's log. */
export function Logs({ app }: { app: AppDetail }) {
  const kept = app.role === "webserver" || app.role === "worker";
  const wanted = useSignal<Wanted>({ grep: "", previous: false, tail: 1000 });
  const { grep, previous, tail } = wanted.value;
  const follow = kept && !previous && grep === "";
  const reading = useMemo(
    () => new LogReading(app.name, { tail, follow, ...(grep ? { grep } : {}), ...(previous ? { previous } : {}) }),
    [app.name, grep, previous, tail, follow],
  );
  useEffect(() => () => reading.end(), [reading]);
  const again = command("norn", "logs", app.name, follow && "-f", "--tail", tail, ...(grep ? ["--grep", grep] : []), previous && "--previous");
  return (
    <section class="panel" aria-label="Logs">
      <Viewer app={app.name} reading={reading} kept={kept} wanted={wanted.value} want={(next) => (wanted.value = next)} />
      <Command text={again} />
    </section>
  );
}

interface ViewerProps {
  app: string;
  reading: LogReading;
  kept: boolean;
  wanted: Wanted;
  want: (wanted: Wanted) => void;
}

function Viewer({ app, reading, kept, wanted, want }: ViewerProps) {
  const search = useSignal("");
  const source = useSignal("");
  const following = useSignal(true);
  const pattern = useMemo(() => compiled(search.value), [search.value]);
  const version = reading.version.value;
  const shown = useMemo(
    () => filtered(reading.all, source.value, pattern instanceof RegExp ? pattern : null),
    [reading, version, source.value, pattern],
  );
  return (
    <>
      <div class="filters">
        <input type="search" id="search" aria-label="Search lines, a regular expression" placeholder="Search: a regular expression  /" value={search.value} onInput={(event) => (search.value = event.currentTarget.value)} spellcheck={false} />
        <select aria-label="Replica" value={source.value} onChange={(event) => (source.value = event.currentTarget.value)}>
          <option value="">every replica</option>
          {[...reading.sources].sort().map((each) => (
            <option key={each} value={each}>{each}</option>
          ))}
        </select>
        {kept && (
          <>
            <button type="button" class="quiet" disabled={search.value === ""} onClick={() => want({ ...wanted, grep: search.value, tail: 10_000 })}>
              Search all kept lines
            </button>
            <label class="choice">
              <input type="checkbox" checked={wanted.previous} onChange={() => want({ ...wanted, previous: !wanted.previous })} />
              <span>of replicas that are gone</span>
            </label>
          </>
        )}
        <button type="button" class="quiet" onClick={() => download(app, shown)}>
          Download
        </button>
        <span class="muted" role="status">
          {shown.length} of {reading.all.length} lines{wanted.grep ? ` with ${wanted.grep}` : ""}
        </span>
        {wanted.grep && (
          <button type="button" class="quiet" onClick={() => want({ ...wanted, grep: "", tail: 1000 })}>
            All lines
          </button>
        )}
      </div>
      {pattern !== null && !(pattern instanceof RegExp) && <p class="note" role="alert">{pattern}</p>}
      <Failure problem={reading.problem.value} />
      {reading.all.length === 0 && reading.problem.value === null && <Nothing since={reading.since} />}
      <Lines lines={shown} pattern={pattern instanceof RegExp ? pattern : null} following={following} dropped={reading.dropped} />
    </>
  );
}

const FIRST_MS = 6000;

function Nothing({ since }: { since: number }) {
  if (now.value - since < FIRST_MS) return <Waiting since={since} what="reading its lines" />;
  return <p class="muted">No line is there yet.</p>;
}

function compiled(text: string): RegExp | string | null {
  if (text === "") return null;
  const insensitive = text.startsWith("(?i)");
  try {
    return new RegExp(insensitive ? text.slice(4) : text, insensitive ? "i" : "");
  } catch (error) {
    return `This is no regular expression: ${asProblem(error).sentence}`;
  }
}

function filtered(all: readonly LogLine[], source: string, pattern: RegExp | null): readonly LogLine[] {
  if (source === "" && pattern === null) return all.slice();
  return all.filter((line) => (source === "" || line.source === source) && (pattern === null || pattern.test(plain(line.line.slice(0, LONGEST)))));
}

function download(app: string, lines: readonly LogLine[]): void {
  const text = lines.map((line) => `${line.at ? `${line.at} ` : ""}${line.source} | ${plain(line.line)}\n`).join("");
  save(new Blob([text], { type: "text/plain" }), `${app}.log`);
}

function Lines({ lines, pattern, following, dropped }: { lines: readonly LogLine[]; pattern: RegExp | null; following: { value: boolean }; dropped: number }) {
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(480);
  const read = useRef(0);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    height.value = element.clientHeight;
    if (following.value) {
      element.scrollTop = element.scrollHeight;
      read.current = lines.length + dropped;
    }
  }, [lines, dropped]);
  const scrolled = (element: HTMLDivElement) => {
    top.value = element.scrollTop;
    following.value = element.scrollTop + element.clientHeight >= element.scrollHeight - ROW;
    if (following.value) read.current = lines.length + dropped;
  };
  const first = Math.max(0, Math.floor(top.value / ROW) - AROUND);
  const seen = lines.slice(first, first + Math.ceil(height.value / ROW) + 2 * AROUND);
  const unread = lines.length + dropped - read.current;
  return (
    <div class="log-frame">
      <div ref={box} class="log" tabIndex={0} role="log" aria-label="Lines" aria-live="off" onScroll={(event) => scrolled(event.currentTarget)}>
        <div class="log-all" ref={(element) => element?.style.setProperty("height", `${lines.length * ROW}px`)}>
          <div class="log-seen" ref={(element) => element?.style.setProperty("transform", `translateY(${first * ROW}px)`)}>
            {seen.map((line, index) => (
              <Row key={first + index + dropped} line={line} pattern={pattern} />
            ))}
          </div>
        </div>
      </div>
      {!following.value && (
        <button
          type="button"
          class="primary log-follow"
          onClick={() => {
            following.value = true;
            box.current?.scrollTo({ top: box.current.scrollHeight });
          }}
        >
          {unread > 0 ? `${unread} new lines, follow` : "Follow"}
        </button>
      )}
    </div>
  );
}

function Row({ line, pattern }: { line: LogLine; pattern: RegExp | null }) {
  const text = line.line.slice(0, LONGEST);
  return (
    <div class={`log-row ${line.stream === "stderr" || line.source.endsWith("stderr") ? "err" : ""}`} title={line.at ?? ""}>
      <span class="log-source">{line.source}</span>
      {pattern ? <Marked text={plain(text)} pattern={pattern} /> : pieces(text).map((piece, index) => <span key={index} class={piece.classes}>{piece.text}</span>)}
      {line.line.length > LONGEST && <span class="muted">… {line.line.length - LONGEST} more</span>}
    </div>
  );
}

function Marked({ text, pattern }: { text: string; pattern: RegExp }) {
  const match = pattern.exec(text);
  if (match === null || match[0] === "") return <span>{text}</span>;
  const end = match.index + match[0].length;
  return (
    <span>
      {text.slice(0, match.index)}
      <mark>{match[0]}</mark>
      {text.slice(end)}
    </span>
  );
}
