// Where mails are kept: in the app's database when there is one, else in memory.
import pg from "pg";

const KEPT = 100;

class Memory {
  place = "in memory";
  #mails = new Map();

  async keep(mail) {
    this.#mails.set(mail.id, mail);
    if (this.#mails.size > KEPT) this.#mails.delete(this.#mails.keys().next().value);
  }

  async all() {
    return [...this.#mails.values()];
  }

  async find(id) {
    return this.#mails.get(id);
  }
}

const TABLE = `CREATE TABLE IF NOT EXISTS mails (
  id uuid PRIMARY KEY, "to" text NOT NULL, subject text NOT NULL, bytes integer NOT NULL, raw bytea NOT NULL,
  written_at timestamptz NOT NULL DEFAULT now())`;

class Database {
  place = "in the database";
  #pool;
  #ready;

  constructor(connectionString) {
    this.#pool = new pg.Pool({ connectionString, connectionTimeoutMillis: 10_000, max: 5 });
    // A connection that the server ends while it is idle is no reason to end the app.
    this.#pool.on("error", (error) => console.error("mail-agent: an idle connection ended:", error.message));
  }

  async #query(text, values) {
    this.#ready ??= this.#pool.query(TABLE);
    try {
      await this.#ready;
    } catch (error) {
      this.#ready = undefined;
      throw error;
    }
    return (await this.#pool.query(text, values)).rows;
  }

  async keep({ id, to, subject, bytes, raw }) {
    await this.#query(`INSERT INTO mails (id, "to", subject, bytes, raw) VALUES ($1, $2, $3, $4, $5)`, [id, to, subject, bytes, raw]);
  }

  async all() {
    return await this.#query(`SELECT id, "to", subject, bytes, raw FROM mails ORDER BY written_at DESC LIMIT ${KEPT}`);
  }

  async find(id) {
    const rows = await this.#query(`SELECT id, "to", subject, bytes, raw FROM mails WHERE id::text = $1`, [id]);
    return rows[0];
  }
}

/** Returns the store of a database, or one in memory when there is no URL. */
export function storeAt(connectionString) {
  return connectionString ? new Database(connectionString) : new Memory();
}
