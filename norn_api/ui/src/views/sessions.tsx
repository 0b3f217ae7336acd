// The sessions of browsers, each with its end.

import { useSignal } from "@preact/signals";
import { asProblem, change, type Problem } from "../api/client";
import type { ListOf } from "../api/types";
import { useResource } from "../state/resource";
import { signOut } from "../state/session";
import { Failure, Panel, Read, Table, Time } from "../parts/basics";

interface Row {
  id: number;
  token: string | null;
  created_at: string;
  expires_at: string;
  last_used_at: string | null;
  agent: string;
  address: string;
  current: boolean;
}

/** The sessions: an admin sees all, others those of their own token. */
export function Sessions() {
  const sessions = useResource<ListOf<Row>>("/api/sessions", (event) => event.kind.startsWith("session."));
  const problem = useSignal<Problem | null>(null);
  const end = async (row: Row) => {
    try {
      if (row.current) return await signOut();
      await change("DELETE", `/api/sessions/${row.id}`);
      sessions.reload();
    } catch (error) {
      problem.value = asProblem(error);
    }
  };
  return (
    <Panel title="Sessions">
      <Failure problem={problem.value} />
      <Read from={sessions} what="the sessions">
        {({ items }) =>
          items.length === 0 ? (
            <p class="muted">Nobody is signed in by a browser.</p>
          ) : (
            <Table label="Sessions" head={["Session", "Token", "Begun", "Used", "Ends", "Browser", "Address", ""]}>
              {items.map((each) => (
                <tr key={each.id}>
                  <td>{each.id}{each.current ? ", this one" : ""}</td>
                  <td>{each.token}</td>
                  <td><Time at={each.created_at} /></td>
                  <td><Time at={each.last_used_at} /></td>
                  <td><Time at={each.expires_at} /></td>
                  <td>{each.agent.slice(0, 60)}</td>
                  <td>{each.address}</td>
                  <td>
                    <button type="button" class="quiet" aria-label={`End session ${each.id}`} onClick={() => void end(each)}>End</button>
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Read>
    </Panel>
  );
}
