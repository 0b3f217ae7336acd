// Prints a line for each thing of another app, or of the control plane, that is open to mail-agent's container; the
// last two are its own. The arguments are addresses of the machine and ports of the control plane, each separated
// by commas, and the database and the role of another app.
import net from "node:net";
import pg from "pg";

const own = new URL(process.env.DATABASE_URL);
const [addresses, ports] = process.argv.slice(2, 4).map((each) => each.split(","));
const [theirs, them] = process.argv.slice(4);

async function asked(what, change, sql = "SELECT 1") {
  const url = new URL(own);
  change(url);
  const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 3000 });
  try {
    await client.connect();
    for (const statement of [sql].flat()) await client.query(statement);
    console.log("open:", what);
  } catch {
    // closed
  } finally {
    await client.end().catch(() => {});
  }
}

function reached(host, port) {
  return new Promise((done) => {
    const socket = net.connect({ host, port: Number(port), timeout: 2000 });
    const closed = () => done(socket.destroy());
    socket.on("connect", () => closed(console.log("open:", host, port)));
    socket.on("error", closed).on("timeout", closed);
  });
}

// Databases and roles of others, with its own password and guesses.
for (const name of [theirs, "postgres", "template1", "template0", "norn"]) {
  await asked(`database ${name}`, (url) => (url.pathname = name));
}
for (const name of ["postgres", "norn", "manager", them]) {
  for (const password of ["", own.password, name]) {
    for (const database of [theirs, "postgres"]) {
      await asked(`role ${name}`, (url) => Object.assign(url, { username: name, password, pathname: database }));
    }
  }
}

// SQL with which a role would get more than it has, or read what belongs to the server or to others.
const statements = [
  "SELECT pg_read_file('/etc/passwd')", "SELECT pg_ls_dir('.')", "SELECT lo_import('/etc/passwd')",
  "COPY (SELECT 1) TO PROGRAM 'id'", "COPY (SELECT 1) TO '/tmp/x'",
  ["CREATE TABLE t (x text)", "COPY t FROM '/etc/passwd'"], "SELECT * FROM pg_authid", "SELECT * FROM pg_shadow",
  "SET ROLE postgres", `SET ROLE "${them}"`, "SET SESSION AUTHORIZATION postgres",
  `SET SESSION AUTHORIZATION "${them}"`, `GRANT "${them}" TO CURRENT_USER`, "GRANT pg_read_server_files TO CURRENT_USER",
  "GRANT pg_read_all_data TO CURRENT_USER", "ALTER ROLE CURRENT_USER SUPERUSER", "ALTER ROLE CURRENT_USER CREATEDB",
  "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1", `ALTER ROLE "${them}" PASSWORD 'x'`, "CREATE ROLE r",
  "CREATE DATABASE d", `DROP DATABASE ${theirs}`, `ALTER DATABASE ${theirs} RENAME TO d`,
  `GRANT CONNECT ON DATABASE ${theirs} TO CURRENT_USER`, `CREATE DATABASE d TEMPLATE ${theirs}`,
  "ALTER SYSTEM SET log_statement = 'all'", "LOAD 'auto_explain'", "CREATE EXTENSION dblink",
  "CREATE EXTENSION postgres_fdw", "CREATE EXTENSION file_fdw", "CREATE LANGUAGE plperlu",
  "CREATE SUBSCRIPTION s CONNECTION 'dbname=postgres' PUBLICATION p", "SELECT pg_reload_conf()",
  "SELECT pg_create_physical_replication_slot('s')", "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc', 'getpid'",
  `SELECT 1 / count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname IS DISTINCT FROM current_database()`,
  `SELECT 1 / count(*) FROM pg_stat_activity WHERE datname = '${theirs}' AND query <> '<insufficient privilege>'`,
  `SELECT pg_database_size('${theirs}')`,
];
for (const sql of statements) await asked(String(sql), () => {}, sql);

// The control plane's ports on each address of the machine at which servers of apps are.
for (const host of [...addresses, own.hostname, "127.0.0.1"]) {
  for (const port of ports) await reached(host, port);
}
await reached(own.hostname, own.port);
await asked("its own database", () => {});
