// Prints a line for each thing of another app, or of the control plane, that is open to mail-agent's container; the
// last is its own database. The arguments are ports of the control plane.
import net from "node:net";
import pg from "pg";

const own = new URL(process.env.DATABASE_URL);

async function asked(what, change, sql = "SELECT 1") {
  const url = new URL(own);
  change(url);
  const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 3000 });
  try {
    await client.connect();
    await client.query(sql);
    console.log("open:", what);
  } catch {
    // closed
  } finally {
    await client.end().catch(() => {});
  }
}

for (const name of ["reports_db", "postgres", "template1", "norn"]) {
  await asked(`database ${name}`, (url) => (url.pathname = name));
}
for (const name of ["postgres", "norn", own.username.replace("mail-agent", "daily-report")]) {
  for (const password of ["", own.password, name]) {
    await asked(`role ${name}`, (url) => Object.assign(url, { username: name, password }));
  }
}
const statements = ["SELECT pg_read_file('/etc/passwd')", "COPY (SELECT 1) TO PROGRAM 'id'", "SET ROLE postgres", "CREATE DATABASE d"];
for (const sql of statements) await asked(sql, () => {}, sql);
for (const port of process.argv.slice(2)) {
  await new Promise((done) => {
    const socket = net.connect({ host: own.hostname, port: Number(port), timeout: 2000 });
    const closed = () => done(socket.destroy());
    socket.on("connect", () => closed(console.log("open: port", port)));
    socket.on("error", closed).on("timeout", closed);
  });
}
await asked("its own database", () => {});
