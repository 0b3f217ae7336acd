// The lines of a log as they arrive: the newest 100,000 are kept, and the view is drawn once for each frame.

import { signal, type Signal } from "@preact/signals";
import { address, asProblem, ofApp, send, type Problem } from "../api/client";
import { lines } from "./lines";

export interface LogLine {
  source: string;
  line: string;
  at?: string;
  stream?: string;
}

export interface LogQuery {
  tail: number;
  follow: boolean;
  since?: string;
  grep?: string;
  previous?: boolean;
}

const KEPT = 100_000;
const AGAIN_MS = 2000;
const OVERLAP = 1000;

/** One reading of an app's log. */
export class LogReading {
  readonly version: Signal<number> = signal(0);
  readonly problem: Signal<Problem | null> = signal(null);
  readonly lost: Signal<number> = signal(0);
  readonly since = Date.now();
  readonly sources = new Set<string>();
  all: LogLine[] = [];
  /** The number of lines that were dropped at the beginning. */
  dropped = 0;
  private readonly control = new AbortController();
  private pending = false;

  constructor(
    private readonly app: string,
    private readonly query: LogQuery,
  ) {
    void this.run();
  }

  end(): void {
    this.control.abort();
  }

  private async run(): Promise<void> {
    while (!this.control.signal.aborted) {
      try {
        await this.read();
        if (!this.query.follow) return;
      } catch (error) {
        if (this.control.signal.aborted) return;
        const problem = asProblem(error);
        if (problem.status !== 0 && problem.status < 500 && problem.status !== 429) {
          this.problem.value = problem;
          return;
        }
      }
      this.lost.value = Date.now();
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  /** Reads on after the last line: those that were read already are recognised by their time and text. */
  private async read(): Promise<void> {
    const last = this.all.at(-1)?.at;
    const again = this.all.length > 0;
    const known = again ? new Set(this.all.slice(-OVERLAP).map(identity)) : new Set<string>();
    const path = address(ofApp(this.app, "/logs"), { ...this.query, ...(last ? { since: last, tail: 10_000 } : {}) });
    const response = await send(path, { headers: { Accept: "application/x-ndjson" }, signal: this.control.signal });
    if (again && !last) this.all = [];
    this.lost.value = 0;
    for await (const text of lines(response)) {
      if (text === "") continue;
      const line = JSON.parse(text) as LogLine;
      if (again && last && known.has(identity(line))) continue;
      this.add(line);
    }
  }

  private add(line: LogLine): void {
    this.all.push(line);
    this.sources.add(line.source);
    if (this.all.length > KEPT * 1.1) {
      this.dropped += this.all.length - KEPT;
      this.all = this.all.slice(-KEPT);
    }
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.version.value += 1;
    });
  }
}

function identity(line: LogLine): string {
  return `${line.at ?? ""} ${line.source} ${line.line}`;
}
