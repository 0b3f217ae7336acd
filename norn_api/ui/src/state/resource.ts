// A value of the API that is read again whenever an event says that it may have changed. The page never computes a state
// from events: it reads it, so a lost or repeated event cannot make it wrong.

import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { asProblem, get, type Problem } from "../api/client";
import type { NornEvent } from "../api/types";
import { listen, returns } from "./stream";

export interface Resource<T> {
  data: Signal<T | undefined>;
  problem: Signal<Problem | null>;
  /** The moment since which the first answer is awaited; 0 once there is one. */
  since: Signal<number>;
  reload: () => void;
}

const GATHER_MS = 120;

/** Reads `path` now, after each event that `wants` accepts, and when the stream returns; null reads nothing. */
export function useResource<T>(path: string | null, wants: (event: NornEvent) => boolean = () => false): Resource<T> {
  const data = useSignal<T | undefined>(undefined);
  const problem = useSignal<Problem | null>(null);
  const since = useSignal(Date.now());
  const reload = useRef<() => void>(() => undefined);
  const filter = useRef(wants);
  filter.current = wants;
  useEffect(() => {
    data.value = undefined;
    problem.value = null;
    since.value = Date.now();
    if (path === null) return;
    const reading = new Reading<T>(path, (value) => {
      data.value = value;
      problem.value = null;
      since.value = 0;
    }, (error) => {
      problem.value = asProblem(error);
      since.value = 0;
    });
    reload.current = () => reading.soon(0);
    reading.soon(0);
    const leave = listen((event) => {
      if (filter.current(event)) reading.soon(GATHER_MS);
    });
    let first = true;
    const unsubscribe = returns.subscribe(() => {
      if (!first) reading.soon(0);
      first = false;
    });
    return () => {
      leave();
      unsubscribe();
      reading.end();
    };
  }, [path]);
  return { data, problem, since, reload: () => reload.current() };
}

/** One address that is read at most once at a time; a wish during a reading is fulfilled after it. */
class Reading<T> {
  private timer = 0;
  private busy = false;
  private again = false;
  private readonly control = new AbortController();

  constructor(
    private readonly path: string,
    private readonly take: (value: T) => void,
    private readonly fail: (error: unknown) => void,
  ) {}

  soon(ms: number): void {
    if (this.control.signal.aborted) return;
    if (this.busy) {
      this.again = true;
      return;
    }
    if (this.timer === 0) this.timer = window.setTimeout(() => void this.read(), ms);
  }

  end(): void {
    clearTimeout(this.timer);
    this.control.abort();
  }

  private async read(): Promise<void> {
    this.timer = 0;
    this.busy = true;
    try {
      const value = await get<T>(this.path, this.control.signal);
      if (!this.control.signal.aborted) this.take(value);
    } catch (error) {
      if (!this.control.signal.aborted) this.fail(error);
    }
    this.busy = false;
    if (this.again) {
      this.again = false;
      this.soon(GATHER_MS);
    }
  }
}
