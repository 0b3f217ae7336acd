// Commands as a shell reads them.

/** Returns the words as one command line; each word that a shell would change is quoted. */
export function command(...words: (string | number | null | undefined | false)[]): string {
  return words
    .filter((word) => word !== null && word !== undefined && word !== false && word !== "")
    .map((word) => quoted(String(word)))
    .join(" ");
}

/** Returns a word as a shell reads it unchanged. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
