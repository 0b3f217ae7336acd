// An empty server: the three commands to type. The page fills as they run.

import { Command } from "../parts/basics";

const COMMANDS: readonly (readonly [string, string])[] = [
  ["norn init", "In the directory of your app: writes an infraspec.yaml and, unless there is one, a Dockerfile."],
  ["norn deploy .", "Builds it, starts it, and makes it live once it is healthy. Its card appears here as soon as it is registered."],
  ["norn open", "Prints its address and opens it."],
];

/** The view of a server without apps. */
export function FirstRun() {
  return (
    <section class="first panel" aria-label="First app">
      <h1>No app is here yet</h1>
      <p>Three commands make the first one. This page shows each as it runs.</p>
      <ol>
        {COMMANDS.map(([command, about]) => (
          <li key={command}>
            <Command text={command} label={command} />
            <p class="muted">{about}</p>
          </li>
        ))}
      </ol>
      <p class="muted">
        In a checkout of Norn, <code>make demo</code> deploys four examples.
      </p>
    </section>
  );
}
