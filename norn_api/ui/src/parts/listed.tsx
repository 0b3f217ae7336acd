// A list of the API as a table in a panel, with the command that prints the same.

import type { ComponentChildren } from "preact";
import type { ListOf, NornEvent } from "../api/types";
import { useResource } from "../state/resource";
import { Command, Panel, Read, Table } from "./basics";

interface Props<T> {
  title: string;
  path: string;
  head: readonly string[];
  row: (item: T) => readonly ComponentChildren[];
  /** What is said instead of an empty table. */
  none: string;
  command?: string;
  wants?: (event: NornEvent) => boolean;
}

/** The panel of a list. */
export function Listed<T>({ title, path, head, row, none, command, wants }: Props<T>) {
  const list = useResource<ListOf<T>>(path, wants);
  return (
    <Panel title={title}>
      <Read from={list} what={title.toLowerCase()}>
        {({ items }) =>
          items.length === 0 ? (
            <p class="muted">{none}</p>
          ) : (
            <Table label={title} head={head}>
              {items.map((item, at) => (
                <tr key={at}>
                  {row(item).map((cell, column) => (
                    <td key={column}>{cell}</td>
                  ))}
                </tr>
              ))}
            </Table>
          )
        }
      </Read>
      {command && <Command text={command} />}
    </Panel>
  );
}
