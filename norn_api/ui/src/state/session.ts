// The session: a token, or the code of `norn ui`, is exchanged for a cookie that no script can read.

import { computed, signal } from "@preact/signals";
import { get, keepCsrf, onSignedOut, send } from "../api/client";

export interface Session {
  signed_in: boolean;
  auth: string;
  name: string;
  scopes: string[];
  apps: string[] | null;
  session: number | null;
  expires_at: string | null;
}

/** Undefined until the API has answered; null without a session. */
export const session = signal<Session | null | undefined>(undefined);
/** The sentence about a session that the page did not end itself. */
export const farewell = signal("");
/** The code in the address of a browser that is signed in already: nothing is done with it unless the person asks. */
export const offered = signal<string | null>(null);

const scopes = computed(() => new Set(session.value?.scopes ?? []));

/** Returns true if this session may do what needs a scope. */
export function may(scope: "read" | "invoke" | "deploy" | "admin"): boolean {
  return scopes.value.has(scope) || scopes.value.has("admin") || (scope !== "admin" && scopes.value.has("deploy"));
}

/** Returns true if this session reaches the whole server and not some apps only. */
export function whole(): boolean {
  return session.value?.apps === null;
}

/**
 * Signs in with the cookie that is there already, or else with the code in the address. Anybody may send an address with
 * a code of their own, so a code replaces no session by itself.
 */
export async function begin(): Promise<void> {
  onSignedOut(() => {
    if (session.value) farewell.value = "Your session has ended, or its token was revoked.";
    session.value = null;
  });
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code !== null) history.replaceState(null, "", location.pathname);
  const found = await get<Session>("/api/session");
  if (code !== null && !found.signed_in) return await signInFirst(code);
  if (found.auth !== "off") offered.value = code;
  session.value = found.signed_in ? found : null;
}

async function signInFirst(code: string): Promise<void> {
  try {
    await signIn({ code });
  } catch {
    farewell.value = "This address of norn ui was used already, or is too old: run norn ui again.";
    session.value = null;
  }
}

/** Replaces the session by that of the code in the address; throws Problem. */
export async function signInInstead(code: string): Promise<void> {
  await signIn({ code });
  location.reload();
}

/** Exchanges a token or a code for a session; throws Problem. */
export async function signIn(credentials: { token: string } | { code: string }): Promise<void> {
  const response = await send("/api/session", { method: "POST", json: credentials });
  const found = (await response.json()) as Session & { csrf: string };
  keepCsrf(found.csrf);
  farewell.value = "";
  session.value = { ...found, signed_in: true };
}

/** Ends the session. */
export async function signOut(): Promise<void> {
  await send("/api/session", { method: "DELETE" });
  keepCsrf(null);
  location.replace(location.pathname);
  location.reload();
}
