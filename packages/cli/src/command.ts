/** What a command is: its help and its work, side by side. The table of all of them is in main.ts. */

import type { Arguments, Options } from './args.ts';
import type { Output } from './output.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The world that a command works in. */
export interface Context {
  readonly output: Output;
  readonly env: Environment;
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** Where a prompt is drawn; `output` writes there too. */
  readonly screen: NodeJS.WritableStream;
  /** Time in ms since 1970. */
  readonly now: () => number;
  /** A signal that is aborted by Ctrl-C or SIGTERM; taking it makes the command responsible for ending then. */
  readonly interruption: () => AbortSignal;
}

export interface Command {
  readonly name: string;
  /** Half a line for the overview. */
  readonly summary: string;
  /** What may follow the name. */
  readonly usage: string;
  /** What it does, as paragraphs. */
  readonly description: readonly string[];
  readonly options: Options;
  /** Number of positional arguments that it takes. */
  readonly positionals: number;
  readonly examples: readonly { readonly command: string; readonly what: string }[];
  /** Where to read on. */
  readonly more: string;
  /** What its exit codes mean, where that differs from all others. */
  readonly exits?: string;
  /** Resolves to the exit code; rejects with an error that knows its own (errors.ts). */
  readonly run: (context: Context, args: Arguments) => Promise<number>;
}

/** Commands under one word, such as `datasource ls`. */
export interface Family {
  readonly name: string;
  readonly summary: string;
  readonly description: readonly string[];
  /** Each has a name of two words, of which the first is the family's. */
  readonly members: readonly Command[];
  readonly examples: Command['examples'];
  readonly more: string;
}

export function isFamily(entry: Command | Family): entry is Family {
  return 'members' in entry;
}
