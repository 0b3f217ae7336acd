// An action: a form with the command that does the same, its button, and its failure in place.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { asProblem, type Problem } from "../api/client";
import { Command, Failure, Waiting } from "./basics";

interface Props<T> {
  /** What the button says. */
  verb: string;
  /** The command that does the same; empty when none does. */
  command: string;
  /** Does it; a Problem that it throws is shown here. */
  act: () => Promise<T>;
  done?: (result: T) => void;
  children?: ComponentChildren;
  /** The name to type before something is removed. */
  confirm?: string;
  danger?: boolean;
  disabled?: boolean;
  cancel?: () => void;
}

/** A form for one action. */
export function Action<T>({ verb, command, act, done, children, confirm, danger, disabled, cancel }: Props<T>) {
  const problem = useSignal<Problem | null>(null);
  const since = useSignal(0);
  const typed = useSignal("");
  const submit = async (event: Event) => {
    event.preventDefault();
    if (since.value !== 0) return;
    since.value = Date.now();
    problem.value = null;
    try {
      const result = await act();
      done?.(result);
    } catch (error) {
      problem.value = asProblem(error);
    }
    since.value = 0;
  };
  const unconfirmed = confirm !== undefined && typed.value !== confirm;
  return (
    <form class="action" onSubmit={(event) => void submit(event)}>
      {children}
      {confirm !== undefined && (
        <label>
          <span>
            Type <b>{confirm}</b> to confirm
          </span>
          <input value={typed.value} onInput={(event) => (typed.value = event.currentTarget.value)} autocomplete="off" spellcheck={false} />
        </label>
      )}
      {command !== "" && <Command text={command} />}
      <div class="buttons">
        <button type="submit" class={danger ? "danger" : "primary"} disabled={since.value !== 0 || unconfirmed || disabled === true}>
          {verb}
        </button>
        {cancel && (
          <button type="button" class="quiet" onClick={cancel}>
            Cancel
          </button>
        )}
      </div>
      {since.value !== 0 && <Waiting since={since.value} />}
      <Failure problem={problem.value} />
    </form>
  );
}
