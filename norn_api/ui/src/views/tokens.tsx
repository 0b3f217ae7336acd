// Tokens: made, shown once, revoked.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { change } from "../api/client";
import type { ListOf, Token, TokenMade } from "../api/types";
import { useResource } from "../state/resource";
import { Action } from "../parts/action";
import { Command, Panel, Read, Table, Time } from "../parts/basics";
import { command } from "../parts/shell";

const SCOPES = ["read", "invoke", "deploy", "admin"];

/** The view of tokens, for admins. */
export function Tokens() {
  useEffect(() => {
    document.title = "Tokens · Norn";
  }, []);
  const tokens = useResource<ListOf<Token>>("/api/tokens", (event) => event.kind.startsWith("token."));
  const revoking = useSignal<Token | null>(null);
  const gone = revoking.value;
  return (
    <>
      <h1>Tokens</h1>
      <Panel title="Tokens">
        <Read from={tokens} what="the tokens">
          {({ items }) => (
            <Table label="Tokens" head={["Id", "Name", "Scopes", "Apps", "Made by", "Made", "Used", ""]}>
              {items.map((each) => (
                <tr key={each.id}>
                  <td>{each.id}</td>
                  <td>{each.name}</td>
                  <td>{each.scopes.join(", ")}</td>
                  <td>{each.apps === null ? "every app" : each.apps.join(", ")}</td>
                  <td>{each.created_by}</td>
                  <td><Time at={each.created_at} /></td>
                  <td>{each.last_used_at ? <Time at={each.last_used_at} /> : "never"}</td>
                  <td>
                    <button type="button" class="quiet" aria-label={`Revoke ${each.name}`} onClick={() => (revoking.value = each)}>Revoke</button>
                  </td>
                </tr>
              ))}
            </Table>
          )}
        </Read>
        {gone && (
          <Action
            key={gone.id}
            verb={`Revoke ${gone.name}`}
            command={command("norn", "token", "revoke", gone.id)}
            act={() => change("DELETE", `/api/tokens/${gone.id}`)}
            done={() => {
              revoking.value = null;
              tokens.reload();
            }}
            cancel={() => (revoking.value = null)}
            confirm={gone.name}
            danger
          >
            <p>Every sender that uses it is refused from then on.</p>
          </Action>
        )}
      </Panel>
      <Create done={tokens.reload} />
    </>
  );
}

function Create({ done }: { done: () => void }) {
  const name = useSignal("");
  const scope = useSignal("read");
  const only = useSignal("");
  const made = useSignal<TokenMade | null>(null);
  const apps = only.value.split(/[\s,]+/).filter(Boolean);
  const create = () =>
    change<TokenMade>("POST", "/api/tokens", { name: name.value, scopes: [scope.value], ...(apps.length > 0 ? { apps } : {}) });
  return (
    <Panel title="Create a token">
      <Action
        verb="Create it"
        command={command("norn", "token", "create", name.value || "NAME", "--scope", scope.value, ...apps.flatMap((app) => ["--only", app]))}
        act={create}
        done={(token) => {
          made.value = token;
          name.value = "";
          done();
        }}
        disabled={name.value === ""}
      >
        <label>
          <span>Name</span>
          <input value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} placeholder="ci" spellcheck={false} autocomplete="off" />
        </label>
        <label>
          <span>Scope</span>
          <select value={scope.value} onChange={(event) => (scope.value = event.currentTarget.value)}>
            {SCOPES.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
        <label>
          <span>Only these apps; empty for every app</span>
          <input value={only.value} disabled={scope.value === "admin"} onInput={(event) => (only.value = event.currentTarget.value)} spellcheck={false} autocomplete="off" />
        </label>
      </Action>
      {made.value?.token && (
        <div role="status">
          <p>This is the token of {made.value.name}. It is shown this once:</p>
          <Command text={made.value.token} label="the token" />
        </div>
      )}
    </Panel>
  );
}
