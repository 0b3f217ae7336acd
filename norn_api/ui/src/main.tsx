// The page: it shows the server live and does what the REST API does, nothing else.

import { render } from "preact";
import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { asProblem, type Problem } from "./api/client";
import { keepApps } from "./state/apps";
import { duration, now } from "./state/clock";
import { place, to } from "./state/router";
import { begin, may, offered, session, signInInstead, signOut, whole } from "./state/session";
import { lostSince, open, close, stream } from "./state/stream";
import { theme, turn } from "./state/theme";
import { Action } from "./parts/action";
import { Failure, Waiting } from "./parts/basics";
import { listenForKeys } from "./keys";
import { Alerts } from "./views/alerts";
import { AppView } from "./views/app";
import { Cards } from "./views/cards";
import { Events } from "./views/events";
import { JobView, Jobs } from "./views/jobs";
import { Palette, palette } from "./views/palette";
import { Server } from "./views/server";
import { Mark, SignIn } from "./views/signin";
import { Tokens } from "./views/tokens";
import { alertCount } from "./state/alerts";
import "./style.css";

const begun = Date.now();
let trouble: Problem | null = null;

function Page() {
  if (trouble !== null) return <Failure problem={trouble} again={() => location.reload()} />;
  if (session.value === undefined) return <Waiting since={begun} what="asking the server" />;
  if (session.value === null) return <SignIn />;
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <Top />
      <Banner />
      <Offer />
      <Main />
      <Palette />
    </>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("main")?.focus();
}

function Top() {
  const here = place.value[0] ?? "apps";
  const views: [string, string][] = [["apps", "Apps"], ["jobs", "Jobs"], ["events", "Events"], ["alerts", alertCount.value > 0 ? `Alerts ${alertCount.value}` : "Alerts"]];
  if (whole()) views.push(["server", "Server"]);
  if (may("admin") && whole()) views.push(["tokens", "Tokens"]);
  return (
    <header class="top">
      <a class="home" href={to()} aria-label="Norn, all apps">
        <Mark /> <span>Norn</span>
      </a>
      <nav aria-label="Views">
        {views.map(([name, title]) => (
          <a key={name} href={name === "apps" ? to() : to(name)} aria-current={here === name ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <span class="grow" />
      <span class={`live ${stream.value}`} title={stream.value === "live" ? "what you see is live" : "the stream is not there"}>
        {stream.value}
      </span>
      <button type="button" class="quiet" onClick={() => (palette.value = true)} aria-keyshortcuts="Control+K">
        Find <kbd>Ctrl K</kbd>
      </button>
      <button type="button" class="quiet" onClick={turn} title="light, dark, or as the system">
        {{ system: "Auto", light: "Light", dark: "Dark" }[theme.value]}
      </button>
      {session.value?.auth !== "off" && (
        <button type="button" class="quiet" onClick={() => void signOut()}>
          Sign out
        </button>
      )}
    </header>
  );
}

function Banner() {
  if (stream.value !== "lost") return null;
  return (
    <div class="banner" role="alert">
      The server has not answered for {duration((now.value - lostSince.value) / 1000)}: what you see may be old. The page tries again by itself.
    </div>
  );
}

function Offer() {
  const code = offered.value;
  if (code === null) return null;
  return (
    <aside class="offer" aria-label="Another sign-in">
      <Action verb="Sign in with it" command="" act={() => signInInstead(code)} cancel={() => (offered.value = null)}>
        <p>
          You are still signed in as <b>{session.value?.name}</b>. The address that you opened is one of <code>norn ui</code> for another sign-in: use it only if you ran that command yourself.
        </p>
      </Action>
    </aside>
  );
}

function Main() {
  const main = useRef<HTMLElement>(null);
  const [view, name, tab] = place.value;
  const first = useRef(true);
  useEffect(() => {
    if (first.current) first.current = false;
    else main.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [view, name]);
  return (
    <main ref={main} tabIndex={-1} id="main">
      {viewOf(view, name, tab)}
    </main>
  );
}

function viewOf(view: string | undefined, name: string | undefined, tab: string | undefined) {
  if (view === "apps" && name !== undefined) return <AppView key={name} name={name} tab={tab} />;
  if (view === "jobs" && name !== undefined) return <JobView key={name} id={Number(name)} />;
  if (view === "jobs") return <Jobs />;
  if (view === "events") return <Events />;
  if (view === "alerts") return <Alerts />;
  if (view === "server") return <Server />;
  if (view === "tokens") return <Tokens />;
  return <Cards />;
}

listenForKeys();
effect(() => {
  if (session.value) {
    open();
    keepApps();
  } else {
    close();
  }
});
const root = document.getElementById("page");
if (root !== null) render(<Page />, root);
begin().catch((error: unknown) => {
  trouble = asProblem(error);
  session.value = null;
});
