// The colours in a line of a log: its SGR sequences become classes, every other control sequence is dropped.

export interface Piece {
  text: string;
  classes: string;
}

const SEQUENCE = /\u001b\[([0-9;]*)m|\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[\u0000-\u0008\u000b-\u001f\u007f]/g;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/;
const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/** Returns the pieces of a line, each with the classes of its colours. */
export function pieces(line: string): Piece[] {
  if (!CONTROL.test(line)) return [{ text: line, classes: "" }];
  const found: Piece[] = [];
  let colour = "";
  let bold = false;
  let at = 0;
  const push = (text: string) => {
    if (text !== "") found.push({ text, classes: [colour, bold ? "bold" : ""].filter(Boolean).join(" ") });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    push(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[1] === undefined) continue;
    for (const code of match[1].split(";").map(Number)) {
      if (code === 0) [colour, bold] = ["", false];
      else if (code === 1) bold = true;
      else if (code === 22) bold = false;
      else if (code === 39) colour = "";
      else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) colour = `ansi-${NAMES[code % 10]}`;
    }
  }
  push(line.slice(at));
  return found;
}

/** Returns a line without its sequences. */
export function plain(line: string): string {
  return CONTROL.test(line) ? line.replace(SEQUENCE, "") : line;
}
