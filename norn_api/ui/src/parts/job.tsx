// A job as it happens: its steps with their times; the failed one is open with its sentence, its last lines and its hint.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { address, asProblem, change, send, type Problem } from "../api/client";
import type { Job, Step } from "../api/types";
import { duration, now } from "../state/clock";
import { to } from "../state/router";
import { useResource } from "../state/resource";
import { may } from "../state/session";
import { Command, Failure, Hint, Output, Read, State, Time, Waiting } from "./basics";

const ENDED = new Set(["succeeded", "failed", "cancelled", "superseded", "expired", "dead", "error"]);
const KEPT = 400;
const EACH_MS = 1000;

/** Returns true once nothing more happens to a job. */
export function ended(job: Job): boolean {
  return ENDED.has(job.state);
}

/** The panel of one job. */
export function JobPanel({ id, close }: { id: number; close?: () => void }) {
  const job = useResource<Job>(`/api/jobs/${id}`, (event) => event.job === id);
  return (
    <section class="job" aria-label={`job ${id}`}>
      <Read from={job} what={`job ${id}`}>
        {(found) => <Progress job={found} {...(close ? { close } : {})} />}
      </Read>
    </section>
  );
}

function Progress({ job, close }: { job: Job; close?: () => void }) {
  return (
    <>
      <div class="job-head">
        <h2>
          {job.kind} <a href={to("jobs", job.id)}>job {job.id}</a>
        </h2>
        <State state={job.state} of="job" />
        <span class="muted">
          {ended(job) ? "took" : "for"} {between(job.started_at ?? job.created_at, job.ended_at)}, by {job.actor}, <Time at={job.created_at} />
        </span>
        <span class="grow" />
        {!ended(job) && may("deploy") && <Cancel job={job} />}
        {close && ended(job) && (
          <button type="button" class="quiet" onClick={close}>
            Close
          </button>
        )}
      </div>
      {job.waits && !ended(job) && <p class="note">It waits: {job.waits}</p>}
      <ol class="steps">
        {(job.steps ?? []).map((step) => (
          <StepRow key={step.n} job={job} step={step} />
        ))}
      </ol>
      {job.error && !(job.steps ?? []).some((step) => step.error) && (
        <div class="failure" role="alert">
          <p>{job.error.sentence}</p>
          <Hint text={job.error.hint} />
        </div>
      )}
      <Command text={`norn jobs watch ${job.id}`} />
    </>
  );
}

function between(from: string, until: string | null): string {
  return duration(Math.max(0, ((until ? Date.parse(until) : now.value) - Date.parse(from)) / 1000));
}

function StepRow({ job, step }: { job: Job; step: Step }) {
  const opened = useSignal<boolean | null>(null);
  const failed = step.state === "failed";
  const begun = step.state !== "pending" && step.state !== "skipped";
  const isOpen = opened.value ?? failed;
  const seconds = step.seconds ?? (step.started_at ? Math.max(0, (now.value - Date.parse(step.started_at)) / 1000) : null);
  return (
    <li class={`step ${step.state}`}>
      <button type="button" class="step-head" aria-expanded={isOpen} disabled={!begun} onClick={() => (opened.value = !isOpen)}>
        <State state={step.state} of="step" />
        <span class="step-name">{step.name}</span>
        <span class="muted note-text">{step.note}</span>
        <span class="seconds">{begun && seconds !== null ? duration(seconds) : ""}</span>
      </button>
      {failed && step.error && (
        <div class="failure" role="alert">
          <p>{step.error.sentence}</p>
          <Hint text={step.error.hint} />
        </div>
      )}
      {isOpen && begun && <StepOutput job={job} step={step} />}
    </li>
  );
}

interface Chunk {
  seq: number;
  text: string;
}

/** The output of a step: its last lines; while the step runs, each second what is new. */
function StepOutput({ job, step }: { job: Job; step: Step }) {
  const text = useSignal("");
  const problem = useSignal<Problem | null>(null);
  const since = useSignal(Date.now());
  const place = useRef(-1);
  const running = step.state === "running";
  useEffect(() => {
    const control = new AbortController();
    const read = async () => {
      const path = address(`/api/jobs/${job.id}/logs`, { step: step.name, after: place.current });
      const response = await send(path, { headers: { Accept: "application/x-ndjson" }, signal: control.signal });
      const chunks = (await response.text()).split("\n").filter(Boolean).map((each) => JSON.parse(each) as Chunk);
      place.current = chunks.at(-1)?.seq ?? place.current;
      if (chunks.length > 0) text.value = (text.value + chunks.map((each) => each.text).join("")).split("\n").slice(-KEPT).join("\n");
    };
    void (async () => {
      do {
        try {
          await read();
          problem.value = null;
        } catch (error) {
          if (control.signal.aborted) return;
          problem.value = asProblem(error);
        }
        since.value = 0;
        if (running) await new Promise((resolve) => setTimeout(resolve, EACH_MS));
      } while (running && !control.signal.aborted);
    })();
    return () => control.abort();
  }, [running]);
  if (problem.value !== null) return <Failure problem={problem.value} />;
  if (since.value !== 0 && text.value === "") return <Waiting since={since.value} what="reading its output" />;
  return <Output text={text.value} label={`output of ${step.name}`} empty={running ? "It has written nothing yet." : "It wrote nothing."} />;
}

function Cancel({ job }: { job: Job }) {
  const problem = useSignal<Problem | null>(null);
  const cancel = async () => {
    try {
      await change("POST", `/api/jobs/${job.id}/cancel`);
    } catch (error) {
      problem.value = asProblem(error);
    }
  };
  return (
    <>
      <button type="button" class="quiet" disabled={job.cancel_requested_at !== null} onClick={() => void cancel()} title={`norn jobs cancel ${job.id}`}>
        {job.cancel_requested_at === null ? "Cancel job" : "Cancelling"}
      </button>
      <Failure problem={problem.value} />
    </>
  );
}
