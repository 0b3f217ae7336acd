// Prints the orders of one day: the day before the scheduled moment, which Norn hands over as NORN_SCHEDULED_AT.
import dayjs from "dayjs";
import utc from "dayjs/plugin/utc.js";

import { fromDatabase, fromSample } from "./orders.js";
import { render } from "./render.js";

dayjs.extend(utc);

const moment = process.env.NORN_SCHEDULED_AT ? dayjs.utc(process.env.NORN_SCHEDULED_AT) : dayjs.utc();
const databaseUrl = process.env.DATABASE_URL;

if (!moment.isValid()) {
  console.error(`daily-report: NORN_SCHEDULED_AT is "${process.env.NORN_SCHEDULED_AT}"; expected a time like 2026-11-23T09:00:00Z`);
  process.exit(1);
}

async function readOrders() {
  if (!databaseUrl) {
    console.error("note: DATABASE_URL is not set, so this report is on the sample orders in the image");
    return fromSample();
  }
  try {
    return await fromDatabase(databaseUrl, moment.subtract(1, "day").startOf("day"));
  } catch (error) {
    console.error(`daily-report: the database did not give the orders: ${error.message || error.code}`);
    process.exit(1);
  }
}

console.log(render(await readOrders()));
