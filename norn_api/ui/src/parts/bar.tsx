// The last occurrences of a schedule as a bar: one mark for each verdict, which differ in shape as well as in colour.

import type { Mark } from "../api/types";
import { tone, word } from "./states";

const SHOWN = 30;

/** Returns what an occurrence came to, in words. */
function said(mark: Mark): string {
  const outcome = mark.state ?? mark.verdict;
  const many = mark.how_many > 1 ? `, ${mark.how_many} occurrences` : "";
  return `${new Date(mark.scheduled_for).toLocaleString()}: ${word(outcome)}${many}`;
}

function kind(mark: Mark): string {
  if (mark.state === "running" || mark.state === "pending") return "busy";
  return tone(mark.state ?? mark.verdict);
}

/** The bar; with `choose` each mark opens its run. */
export function Bar({ marks, choose }: { marks: readonly Mark[]; choose?: (mark: Mark) => void }) {
  const shown = marks.slice(-SHOWN);
  if (choose === undefined) {
    const failed = shown.filter((mark) => kind(mark) === "bad").length;
    return (
      <div class="bar" role="img" aria-label={`the last ${shown.length} occurrences, ${failed} failed`}>
        {shown.map((mark) => (
          <i key={mark.scheduled_for} class={kind(mark)} title={said(mark)} />
        ))}
      </div>
    );
  }
  return (
    <div class="bar open" role="group" aria-label={`the last ${shown.length} occurrences`}>
      {shown.map((mark) => (
        <button key={mark.scheduled_for} type="button" class={kind(mark)} title={said(mark)} aria-label={said(mark)} onClick={() => choose(mark)} />
      ))}
    </div>
  );
}
