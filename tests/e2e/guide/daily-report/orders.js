// Where orders come from: the app's database, or the sample in the image. Both give {source, day, orders}.
import { readFileSync } from "node:fs";

import dayjs from "dayjs";
import pg from "pg";

const TABLE = `CREATE TABLE IF NOT EXISTS orders (
  placed_at timestamptz NOT NULL DEFAULT now(), customer text NOT NULL, product text NOT NULL, pieces integer NOT NULL, cents integer NOT NULL)`;

const OF_ONE_DAY = `SELECT customer, product, pieces, cents FROM orders
  WHERE placed_at >= $1 AND placed_at < $2 ORDER BY placed_at`;

/** Reads one day's orders; the first run of all finds no table and makes it. */
export async function fromDatabase(connectionString, day) {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query(TABLE);
    const { rows } = await client.query(OF_ONE_DAY, [day.toISOString(), day.add(1, "day").toISOString()]);
    return { source: "the database", day, orders: rows };
  } finally {
    await client.end();
  }
}

/** The sample is one day long, and keeps its own date. */
export function fromSample() {
  const { date, orders } = JSON.parse(readFileSync(new URL("data/orders.json", import.meta.url), "utf8"));
  return { source: "sample data", day: dayjs.utc(date), orders };
}
