// The last day of an app as a strip: the states that it was in, to scale.

import type { AppDetail } from "../api/types";
import { now } from "../state/clock";
import { tone } from "../parts/states";

type Span = NonNullable<AppDetail["uptime"]>["changes"][number];
const DAY_MS = 86_400_000;
const WIDTH = 1000;

/** The strip of the last 24 hours; time without an observation stays empty. */
export function Health({ spans }: { spans: readonly Span[] }) {
  const end = Math.floor(now.value / 60_000) * 60_000 + 60_000;
  const begin = end - DAY_MS;
  const x = (at: number) => Math.max(0, Math.min(WIDTH, ((at - begin) / DAY_MS) * WIDTH));
  return (
    <svg class="strip" viewBox={`0 0 ${WIDTH} 24`} preserveAspectRatio="none" role="img" aria-label="its state over the last 24 hours">
      <rect class="idle" x="0" y="0" width={WIDTH} height="24" />
      {spans
        .map((span) => ({ span, from: x(Date.parse(span.began_at)), until: x(span.ended_at ? Date.parse(span.ended_at) : end) }))
        .filter(({ from, until }) => until > from)
        .map(({ span, from, until }) => (
          <rect key={span.began_at} class={tone(span.state)} x={from} y="0" width={Math.max(2, until - from)} height="24">
            <title>{`${span.state} since ${new Date(span.began_at).toLocaleString()} ${span.reason}`}</title>
          </rect>
        ))}
    </svg>
  );
}
