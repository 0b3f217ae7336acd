// The agent's HTTP face: POST /messages, GET /messages, GET /messages/<id>, GET /health.
import { hostname } from "node:os";

import { Refused } from "./outbox.js";

const LARGEST_BODY = 64 * 1024;

function answer(response, status, value) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(`${JSON.stringify(value)}\n`);
}

async function readJson(request) {
  const chunks = [];
  let size = 0;
  // Left open when we stop early, or the connection would be gone before the refusal is sent.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw new Refused(413, `a message may have ${LARGEST_BODY} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (error) {
    throw new Refused(400, `the body is not JSON: ${error.message}`);
  }
}

async function showMail(outbox, id, response) {
  const mail = await outbox.find(id);
  response.writeHead(200, { "Content-Type": "message/rfc822" });
  response.end(mail.raw);
}

const routes = [
  ["GET", /^\/health$/, (outbox, _, request, response) => answer(response, 200, { status: "ok" })],
  ["GET", /^\/$/, async (outbox, _, request, response) =>
    answer(response, 200, { app: "mail-agent", host: hostname(), outbox: outbox.place, messages: (await outbox.list()).length })],
  ["GET", /^\/messages$/, async (outbox, _, request, response) => answer(response, 200, await outbox.list())],
  ["POST", /^\/messages$/, async (outbox, _, request, response) => answer(response, 201, await outbox.write(await readJson(request)))],
  ["GET", /^\/messages\/([\w-]+)$/, (outbox, [, id], request, response) => showMail(outbox, id, response)],
];

/** Returns the request listener of an agent that writes into `outbox`. */
export function agent(outbox) {
  return async (request, response) => {
    const path = request.url.split("?")[0];
    try {
      for (const [method, pattern, view] of routes) {
        const match = request.method === method && pattern.exec(path);
        if (match) return await view(outbox, match, request, response);
      }
      throw new Refused(404, `there is no ${request.method} ${path}`);
    } catch (error) {
      if (!(error instanceof Refused)) console.error(`mail-agent: ${request.method} ${path} failed:`, error);
      if (response.headersSent) return response.destroy();
      if (!request.complete) response.setHeader("Connection", "close");
      answer(response, error.status ?? 500, { error: error.status ? error.message : "the agent failed; its log says why" });
    }
  };
}
