// The lines of a log as they arrive: the newest 100,000 are kept, and the view is drawn once for each frame.

import { signal, type Signal } from "@preact/signals";
import { address, asProblem, ofApp, send, type Problem } from "../api/client";
import type { LogLine } from "../api/types";
import { pieces } from "./lines";
import { followLog } from "./stream";

export interface LogQuery {
  tail: number;
  /** New lines follow by the stream of the tab; otherwise the lines are read once. */
  follow: boolean;
  grep?: string;
  previous?: boolean;
}

const KEPT = 100_000;

/** One reading of an app's log. */
export class LogReading {
  readonly version: Signal<number> = signal(0);
  readonly problem: Signal<Problem | null> = signal(null);
  readonly since = Date.now();
  readonly sources = new Set<string>();
  all: LogLine[] = [];
  /** The number of lines that were dropped at the beginning. */
  dropped = 0;
  readonly end: () => void;
  private pending = false;

  constructor(app: string, query: LogQuery) {
    const refused = (problem: Problem) => (this.problem.value = problem);
    if (query.follow) {
      this.end = followLog({ app, tail: query.tail, begin: () => this.begin(), take: (lines) => this.add(lines), refused });
      return;
    }
    const control = new AbortController();
    this.end = () => control.abort();
    this.read(app, query, control.signal).catch((error: unknown) => {
      if (!control.signal.aborted) refused(asProblem(error));
    });
  }

  private async read(app: string, { tail, grep, previous }: LogQuery, end: AbortSignal): Promise<void> {
    const path = address(ofApp(app, "/logs"), { tail, grep, previous });
    const response = await send(path, { headers: { Accept: "application/x-ndjson" }, signal: end });
    for await (const piece of pieces(response)) this.add(piece.filter(Boolean).map((text) => JSON.parse(text) as LogLine));
  }

  /** Lines without a time have no position: after a cut, their last ones come again. */
  private begin(): void {
    this.problem.value = null;
    if (!this.all.some((line) => line.at !== undefined)) this.all = [];
  }

  private add(lines: readonly LogLine[]): void {
    for (const line of lines) {
      this.all.push(line);
      this.sources.add(line.source);
    }
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
