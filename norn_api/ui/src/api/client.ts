// Sends requests to the API of the page's own origin. Each failure becomes a Problem: a sentence with a hint, shown in place.

import type { Mistake, ProblemBody } from "./types";

const CSRF = "norn-csrf";

/** An error of the API (RFC 9457), or the fact that the API does not answer. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly sentence: string,
    readonly hint = "",
    readonly mistakes: readonly Mistake[] = [],
  ) {
    super(sentence);
  }
}

let signedOut: () => void = () => undefined;

/** Calls `then` whenever the API no longer knows this session. */
export function onSignedOut(then: () => void): void {
  signedOut = then;
}

/** Keeps the word that every request of this session carries; null forgets it. All tabs of this origin share it. */
export function keepCsrf(word: string | null): void {
  if (word === null) localStorage.removeItem(CSRF);
  else localStorage.setItem(CSRF, word);
}

export interface Options {
  method?: string;
  json?: unknown;
  body?: BodyInit | null;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Sends a request and returns its response; throws Problem for every other outcome than success. */
export async function send(path: string, options: Options = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  const word = localStorage.getItem(CSRF);
  if (word !== null) headers["X-Norn-CSRF"] = word;
  if (options.json !== undefined) headers["Content-Type"] = "application/json";
  const body = options.json !== undefined ? JSON.stringify(options.json) : (options.body ?? null);
  let response: Response;
  try {
    response = await fetch(path, {
      method: options.method ?? "GET",
      headers,
      body,
      credentials: "same-origin",
      redirect: "error",
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, "unreachable", "the server does not answer", "norn health, or norn up on the server");
  }
  if (response.ok) return response;
  throw await problemOf(response);
}

async function problemOf(response: Response): Promise<Problem> {
  let body: Partial<ProblemBody> = {};
  try {
    body = (await response.json()) as Partial<ProblemBody>;
  } catch {
    // A proxy in between may answer without a problem.
  }
  if (response.status === 401) signedOut();
  return new Problem(
    response.status,
    body.code ?? `http_${response.status}`,
    body.detail ?? `the server answered ${response.status}`,
    body.hint ?? "",
    body.mistakes ?? [],
  );
}

/** Returns the JSON value at an address. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, signal === undefined ? {} : { signal });
  return (await response.json()) as T;
}

/** Sends a change and returns the JSON value of its answer; undefined for an empty one. */
export async function change<T>(method: string, path: string, json?: unknown): Promise<T> {
  const headers = { "Idempotency-Key": crypto.randomUUID?.() ?? key() };
  const response = await send(path, json === undefined ? { method, headers } : { method, json, headers });
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

function key(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns any thrown value as a Problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, "page", error instanceof Error ? error.message : String(error), "reload the page");
}

/** Returns an address with its query; empty values are left out. */
export function address(path: string, query: Record<string, string | number | boolean | null | undefined> = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "" && value !== false) params.set(name, value === true ? "1" : String(value));
  }
  const text = params.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** Returns the address of an app, or of something below it. */
export function ofApp(app: string, rest = ""): string {
  return `/api/apps/${encodeURIComponent(app)}${rest}`;
}
