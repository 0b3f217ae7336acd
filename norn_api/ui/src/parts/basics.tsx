// The small parts that every view uses. Text reaches the page as text nodes only.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Problem } from "../api/client";
import type { Resource } from "../state/resource";
import { duration, now, relative } from "../state/clock";
import { tone, word } from "./states";

/** A relative time with the absolute one on hover. */
export function Time({ at }: { at: string | null | undefined }) {
  if (!at) return null;
  const moment = new Date(at);
  return (
    <time dateTime={at} title={`${moment.toLocaleString()} (${at})`}>
      {relative(at, now.value)}
    </time>
  );
}

/** A state in one word, with a mark whose shape says the same as its colour. */
export function State({ state, of = "app" }: { state: string | null | undefined; of?: string }) {
  return <span class={`state ${tone(state, of)}`}>{word(state)}</span>;
}

/** The time that has passed since something was begun: no wait is without a clock. */
export function Waiting({ since, what = "waiting for the server" }: { since: number; what?: string }) {
  const seconds = Math.max(0, (now.value - since) / 1000);
  return <p class="waiting">{seconds < 0.3 ? "…" : `${what}, ${duration(seconds)}`}</p>;
}

/** A failure in its place: the sentence, the mistakes, the hint. */
export function Failure({ problem, again }: { problem: Problem | null; again?: (() => void) | undefined }) {
  if (problem === null) return null;
  return (
    <div class="failure" role="alert">
      <p>{problem.sentence}</p>
      {problem.mistakes.length > 0 && (
        <ul>
          {problem.mistakes.map((each) => (
            <li key={`${each.line} ${each.field} ${each.message}`}>
              <code>{each.field}</code>: {each.message}
              {each.hint ? ` (${each.hint})` : ""}
            </li>
          ))}
        </ul>
      )}
      <Hint text={problem.hint} />
      {again && (
        <button type="button" class="quiet" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What helps: a command is shown as one that can be copied. */
export function Hint({ text }: { text: string | null | undefined }) {
  if (!text) return null;
  return /^norn [a-z]/.test(text) && !text.includes(",") ? <Command text={text} /> : <p class="hint">{text}</p>;
}

/** A command that does the same, to copy. */
export function Command({ text, label = "The same command" }: { text: string; label?: string }) {
  const copied = useSignal(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text).catch(() => undefined);
    copied.value = true;
    setTimeout(() => {
      copied.value = false;
    }, 1500);
  };
  return (
    <p class="command">
      <code aria-label={label}>{text}</code>
      <button type="button" class="quiet" onClick={() => void copy()} aria-label={`Copy: ${text}`}>
        {copied.value ? "Copied" : "Copy"}
      </button>
    </p>
  );
}

/** What is read from the API: a clock before it is there, the failure in its place, otherwise the children. */
export function Read<T>({ from, what, children }: { from: Resource<T>; what: string; children: (value: T) => ComponentChildren }) {
  const value = from.data.value;
  return (
    <>
      <Failure problem={from.problem.value} again={from.reload} />
      {value !== undefined && children(value)}
      {value === undefined && from.problem.value === null && <Waiting since={from.since.value || now.value} what={`reading ${what}`} />}
    </>
  );
}

/** A part of a view with a heading. */
export function Panel({ title, children, id, aside }: { title: string; children: ComponentChildren; id?: string; aside?: ComponentChildren }) {
  return (
    <section class="panel" aria-label={title} {...(id ? { id } : {})}>
      <div class="panel-head">
        <h2>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** A table that scrolls within itself on a narrow screen; `head` are the names of the columns. */
export function Table({ head, children, label }: { head: readonly string[]; children: ComponentChildren; label: string }) {
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={`${label}, a table`}>
      <table>
        <thead>
          <tr>
            {head.map((each) => (each === "" ? <td key={each} /> : <th scope="col" key={each}>{each}</th>))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** Text of a program, in full and unchanged. */
export function Output({ text, label, empty = "nothing" }: { text: string | null | undefined; label: string; empty?: string }) {
  if (!text) return <p class="muted">{empty}</p>;
  return (
    <pre class="output" tabIndex={0} role="region" aria-label={label}>
      {printable(text)}
    </pre>
  );
}

/** Returns text without control sequences: they mean nothing here. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "").replace(/\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g, "").replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "");
}

/** Puts the focus on an element when it appears, before the next key is read. */
export function useFocus<T extends HTMLElement>() {
  const element = useRef<T>(null);
  useLayoutEffect(() => element.current?.focus(), []);
  return element;
}

/** Facts as pairs of a name and a value. */
export function Facts({ of }: { of: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
