// The agent over real HTTP, on a free port of the loopback.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { agent } from "../agent.js";
import { Outbox } from "../outbox.js";

const server = createServer(agent(new Outbox("agent@example.com")));
let url;

before(() => new Promise((resolve) => server.listen(0, "127.0.0.1", () => {
  url = `http://127.0.0.1:${server.address().port}`;
  resolve();
})));
after(() => {
  server.closeAllConnections();
  server.close();
});

const post = (body) => fetch(`${url}/messages`, { method: "POST", body });

test("is healthy", async () => {
  const response = await fetch(`${url}/health`);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { status: "ok" });
});

test("writes a message as mail that can be read back", async () => {
  const written = await post(JSON.stringify({ to: "ida@example.com", subject: "Grüße", text: "The beans are up." }));
  assert.equal(written.status, 201);
  const mail = await (await fetch(`${url}/messages/${(await written.json()).id}`)).text();
  assert.match(mail, /^To: ida@example\.com\r?$/m);
  assert.match(mail, /^Subject: =\?UTF-8\?/m);
  assert.match(mail, /The beans are up\./);
});

test("refuses a message without an address", async () => {
  const refused = await post(JSON.stringify({ subject: "Hello", text: "?" }));
  assert.equal(refused.status, 400);
  assert.match((await refused.json()).error, /"to"/);
});

test("keeps a line break in the subject out of the headers", async () => {
  const written = await post(JSON.stringify({ to: "ida@example.com", subject: "Hi\r\nBcc: eve@example.com", text: "?" }));
  const mail = await (await fetch(`${url}/messages/${(await written.json()).id}`)).text();
  assert.doesNotMatch(mail, /^Bcc:/m);
});

test("refuses what is not JSON, and what is too long", async () => {
  assert.equal((await post("to=ida")).status, 400);
  assert.equal((await post("x".repeat(70_000))).status, 413);
});
