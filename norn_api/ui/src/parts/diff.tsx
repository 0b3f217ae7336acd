// The differences between the answers of two calls, as the API finds them.

import type { Compared } from "../api/types";
import { Table, printable } from "./basics";

const KINDS: Record<string, string> = { "-": "less", "+": "more" };

/** Status, headers and lines that differ. */
export function DiffOf({ compared }: { compared: Compared }) {
  if (compared.same) return <p class="note">The answers are the same.</p>;
  const values = [...(compared.status ? [compared.status] : []), ...compared.headers];
  return (
    <>
      {values.length > 0 && (
        <Table label="Status and headers that differ" head={["Value", `Call ${compared.before}`, `Call ${compared.after}`]}>
          {values.map((each) => (
            <tr key={each.name}>
              <td>{each.name}</td>
              <td><code>{each.before ?? "none"}</code></td>
              <td><code>{each.after ?? "none"}</code></td>
            </tr>
          ))}
        </Table>
      )}
      {compared.first_byte !== null && <p>The bodies differ from byte {compared.first_byte} on.</p>}
      {compared.lines.length > 0 && (
        <pre class="output diff" tabIndex={0} role="region" aria-label="difference of the answers">
          {compared.lines.map((line, index) => (
            <span key={index} class={KINDS[line[0] ?? ""] ?? "same"}>
              {printable(line)}
              {"\n"}
            </span>
          ))}
        </pre>
      )}
    </>
  );
}
