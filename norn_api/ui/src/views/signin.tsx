// The way in: a token is exchanged for a session. The page keeps no token.

import { useSignal } from "@preact/signals";
import { farewell, signIn } from "../state/session";
import { Action } from "../parts/action";
import { useFocus } from "../parts/basics";

/** The form that asks for a token. */
export function SignIn() {
  const token = useSignal("");
  const field = useFocus<HTMLInputElement>();
  return (
    <main class="signin">
      <h1>
        <Mark /> Norn
      </h1>
      {farewell.value && (
        <p class="note" role="status">
          {farewell.value}
        </p>
      )}
      <Action verb="Sign in" command="norn ui" disabled={token.value === ""} act={() => signIn({ token: token.value.trim() })}>
        <label>
          <span>Token</span>
          <input ref={field} type="password" name="token" autocomplete="current-password" value={token.value} onInput={(event) => (token.value = event.currentTarget.value)} />
        </label>
        <p class="muted">
          The first start of Norn wrote a token into the file <code>token</code> of its data directory. On the server, this command opens the page signed in:
        </p>
      </Action>
    </main>
  );
}

/** The mark of Norn. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" />
      <path d="M9 23V9l14 14V9" />
    </svg>
  );
}
