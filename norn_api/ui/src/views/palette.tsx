// The palette (Ctrl-K): every app, view and action by its name.

import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { appList } from "../state/apps";
import { go, place } from "../state/router";
import { may, signOut } from "../state/session";
import { turn } from "../state/theme";
import { ACTIONS } from "./actions";
import { openAction } from "./app";

export const palette = signal(false);

interface Entry {
  title: string;
  about: string;
  run: () => void;
}

const SHOWN = 12;

function entries(): Entry[] {
  const here = place.value[0] === "apps" ? place.value[1] : undefined;
  const actions = here && may("deploy") ? ACTIONS.map((each) => ({ title: `${each.title} ${here}`, about: "action", run: () => openAction(each.name) })) : [];
  const views = [["Apps"], ["Jobs", "jobs"], ["Events", "events"], ["Alerts", "alerts"], ["Server", "server"], ...(may("admin") ? [["Tokens", "tokens"]] : [])];
  return [
    ...actions,
    ...appList.value.map((app) => ({ title: app.name, about: `${app.role ?? "app"}, ${app.state}`, run: () => go("apps", app.name) })),
    ...appList.value.map((app) => ({ title: `Logs of ${app.name}`, about: "view", run: () => go("apps", app.name, "logs") })),
    ...appList.value.map((app) => ({ title: `Why ${app.name}`, about: "view", run: () => go("apps", app.name, "why") })),
    ...views.map(([title, ...parts]) => ({ title: title ?? "", about: "view", run: () => go(...parts) })),
    { title: "Light, dark or as the system", about: "theme", run: turn },
    { title: "Sign out", about: "session", run: () => void signOut() },
  ];
}

function found(text: string): Entry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return entries()
    .filter((entry) => words.every((each) => `${entry.title} ${entry.about}`.toLowerCase().includes(each)))
    .slice(0, SHOWN);
}

/** The palette, without the text of an earlier search. */
export function Palette() {
  return palette.value ? <Opened /> : null;
}

/** A dialog of the browser, which keeps the focus within and closes it with Escape. */
function Opened() {
  const dialog = useRef<HTMLDialogElement>(null);
  const text = useSignal("");
  const at = useSignal(0);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const shown = found(text.value);
  const chosen = Math.min(at.value, Math.max(0, shown.length - 1));
  const close = () => {
    palette.value = false;
  };
  const run = (entry: Entry | undefined) => {
    close();
    entry?.run();
  };
  const key = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      at.value = (chosen + step + shown.length) % Math.max(1, shown.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(shown[chosen]);
    }
  };
  return (
    <dialog ref={dialog} class="palette" aria-label="Palette" onClose={close} onClick={(event) => event.target === dialog.current && close()}>
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={shown.length > 0 ? `palette-${chosen}` : undefined}
        aria-label="An app, a view or an action"
        placeholder="An app, a view or an action"
        value={text.value}
        autofocus
        onKeyDown={key}
        onInput={(event) => {
          text.value = event.currentTarget.value;
          at.value = 0;
        }}
      />
      <ul id="palette-list" role="listbox" aria-label="Found">
        {shown.map((entry, index) => (
          <li key={`${entry.title} ${entry.about}`} id={`palette-${index}`} role="option" aria-selected={index === chosen} onClick={() => run(entry)}>
            <span>{entry.title}</span> <span class="muted">{entry.about}</span>
          </li>
        ))}
      </ul>
    </dialog>
  );
}
