// Starts the agent on port 80 and ends it politely: answers under way are finished, nothing new is taken.
import { createServer } from "node:http";

import { agent } from "./agent.js";
import { Outbox } from "./outbox.js";
import { storeAt } from "./stores.js";

const port = 80;
const server = createServer(agent(new Outbox(process.env.MAIL_FROM ?? "mail-agent@example.com", storeAt(process.env.DATABASE_URL))));

// A process 1 without handlers of its own never sees a SIGTERM.
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    console.log(`mail-agent got ${signal} and finishes what it has begun`);
    server.close(() => console.log("mail-agent has stopped"));
    setTimeout(() => server.closeAllConnections(), 8_000).unref();
  });
}

server.listen(port, () => console.log(`mail-agent listens on port ${port}`));
