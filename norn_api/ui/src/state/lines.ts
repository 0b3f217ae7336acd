// Reads the lines of a response while it grows.

/** Yields the lines of a response without their ends as soon as they are whole: those of each piece that arrives. */
export async function* pieces(response: Response): AsyncGenerator<string[]> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop() ?? "";
      yield parts;
    }
    if (rest !== "") yield [rest];
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
