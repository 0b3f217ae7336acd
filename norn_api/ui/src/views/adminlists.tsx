// Lists for admins: who changed what, where alerts go, and which repositories report pushes.

import type { Audit, Destination, Login, Webhook } from "../api/types";
import { Listed } from "../parts/listed";
import { Time } from "../parts/basics";

/** The lists below the server's own. */
export function AdminLists() {
  return (
    <>
      <Listed<Destination>
        title="Receivers of alerts"
        path="/api/notifications"
        head={["Name", "Address", "Format", "From severity", "Apps"]}
        row={(each) => [each.name, each.url, each.format, each.severity, each.apps?.join(", ") ?? "every app"]}
        none="Alerts are shown here and by norn alerts, and sent to nobody."
        command="norn notify list"
      />
      <Listed<Webhook>
        title="Webhooks"
        path="/api/webhooks"
        head={["Webhook", "Repository", "Made by", "Made", "Last delivery"]}
        row={(each) => [each.id, each.repository, each.created_by, <Time at={each.created_at} />, each.last_at ? <Time at={each.last_at} /> : "none"]}
        none="No repository reports its pushes."
        command="norn webhook list"
      />
      <Listed<Login>
        title="Logins of private repositories"
        path="/api/repositories"
        head={["Repository", "User", "Set by", "When"]}
        row={(each) => [each.repository, each.username, each.set_by, <Time at={each.at} />]}
        none="None is set."
        command="norn repo list"
      />
      <Listed<Audit>
        title="Audit"
        path="/api/audit?limit=50"
        head={["When", "Who", "Request", "Status", "About"]}
        row={(each) => [<Time at={each.at} />, each.actor, <code>{each.method} {each.path}</code>, each.status, each.about]}
        none="Nothing was changed yet."
      />
    </>
  );
}
