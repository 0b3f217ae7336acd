// The difference of two texts, line by line.

import { printable } from "./basics";

interface Line {
  kind: "same" | "less" | "more";
  text: string;
}

const MOST = 1000;

/** Returns the lines of both texts: those that both have, those of one only. */
export function diff(before: readonly string[], after: readonly string[]): Line[] {
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i]![j] = before[i] === after[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
    }
  }
  const found: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      found.push({ kind: "same", text: before[i++]! });
      j++;
    } else if (i < before.length && (j >= after.length || lengths[i + 1]![j]! >= lengths[i]![j + 1]!)) {
      found.push({ kind: "less", text: before[i++]! });
    } else {
      found.push({ kind: "more", text: after[j++]! });
    }
  }
  return found;
}

const SIGN = { same: " ", less: "-", more: "+" };

/** The difference of two answers. */
export function DiffOf({ before, after }: { before: string; after: string }) {
  if (before === after) return <p class="note">The answers are the same.</p>;
  const cut = (text: string) => printable(text).split("\n").slice(0, MOST);
  return (
    <pre class="output diff" tabIndex={0} role="region" aria-label="difference of the answers">
      {diff(cut(before), cut(after)).map((line, index) => (
        <span key={index} class={line.kind}>
          {SIGN[line.kind]} {line.text}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}
