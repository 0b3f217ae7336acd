// Writes messages as mail (RFC 5322) and keeps them in a store.
import { randomUUID } from "node:crypto";

import nodemailer from "nodemailer";

import { storeAt } from "./stores.js";

const ADDRESS = /^[^\s@<>,;]+@[^\s@<>,;]+$/;

/** A request that cannot be met, with the HTTP status that says why. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function check({ to, subject, text }) {
  if (typeof to !== "string" || !ADDRESS.test(to)) throw new Refused(400, '"to" must be one mail address');
  for (const [field, value] of Object.entries({ subject, text })) {
    if (typeof value !== "string" || !value) throw new Refused(400, `"${field}" must be a text`);
  }
  return { to, subject, text };
}

export class Outbox {
  #store;
  #writer = nodemailer.createTransport({ streamTransport: true, buffer: true, disableFileAccess: true, disableUrlAccess: true });

  constructor(from, store = storeAt()) {
    this.from = from;
    this.#store = store;
  }

  get place() {
    return this.#store.place;
  }

  /** Writes one mail and returns its id, address, subject and size in bytes. */
  async write(message) {
    const { to, subject, text } = check(Object(message));
    const { message: raw } = await this.#writer.sendMail({ from: this.from, to, subject, text });
    const mail = { id: randomUUID(), to, subject, bytes: raw.length, raw };
    await this.#store.keep(mail);
    return this.#summary(mail);
  }

  async list() {
    return (await this.#store.all()).map(this.#summary);
  }

  async find(id) {
    const mail = await this.#store.find(id);
    if (!mail) throw new Refused(404, `there is no message ${id}`);
    return mail;
  }

  #summary({ raw, ...shown }) {
    return shown;
  }
}
