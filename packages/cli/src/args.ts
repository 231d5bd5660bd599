/**
 * Arguments of a command, from its own table of options. A thin layer over node:util's parseArgs, which adds what it leaves
 * out: numbers, texts for the help page, and errors that say what to type instead.
 */

import { parseArgs } from 'node:util';
import { messageOf } from '@glasshouse/model';
import { UsageError } from './errors.ts';

export interface Option {
  readonly type: 'boolean' | 'string';
  readonly short?: string;
  /** What stands for the value on the help page. */
  readonly value?: string;
  /** Default, as the help page shows it and as the command gets it. */
  readonly fallback?: string;
  /** May be given several times. */
  readonly multiple?: boolean;
  readonly description: string;
}

export type Options = Readonly<Record<string, Option>>;

/** Options that every command takes. */
export const COMMON_OPTIONS: Options = {
  json: { type: 'boolean', description: 'Write JSON for machines instead of text' },
  help: { type: 'boolean', short: 'h', description: 'Show this page' },
};

/** Options of commands that work on a data directory. */
export const DATA_OPTIONS: Options = {
  'data-dir': {
    type: 'string',
    value: 'DIR',
    description: 'Data directory (default: GLASSHOUSE_DATA_DIR, else ./data)',
  },
};

/** Options of commands that talk to a server. */
export const SERVER_OPTIONS: Options = {
  ...DATA_OPTIONS,
  url: {
    type: 'string',
    value: 'URL',
    description: 'Server to talk to (default: the one that runs on the data directory)',
  },
  token: {
    type: 'string',
    value: 'TOKEN',
    description: 'API key or admin token (default: GLASSHOUSE_ADMIN_TOKEN, else DIR/admin-token)',
  },
};

/** For commands that ask as a tenant. */
export const TENANT_OPTION: Options = {
  tenant: {
    type: 'string',
    value: 'NAME',
    description: 'Tenant to ask for; needs the admin token (default: that of the credential)',
  },
};

export class Arguments {
  readonly positionals: readonly string[];
  private readonly values: Readonly<Record<string, unknown>>;
  private readonly options: Options;

  constructor(options: Options, values: Readonly<Record<string, unknown>>, positionals: readonly string[]) {
    this.options = options;
    this.values = values;
    this.positionals = positionals;
  }

  flag(name: string): boolean {
    return this.values[name] === true;
  }

  /** The value as given, else the default. */
  text(name: string): string | undefined {
    const value = this.values[name];
    return typeof value === 'string' ? value : this.options[name]?.fallback;
  }

  /** All values of an option that may be given several times. */
  all(name: string): readonly string[] {
    return [this.values[name] ?? this.options[name]?.fallback ?? []].flat().map(String);
  }

  /** As `all`, with commas that separate too. */
  list(name: string): readonly string[] {
    return this.all(name)
      .flatMap((text) => text.split(','))
      .map((text) => text.trim())
      .filter((text) => text !== '');
  }

  /** The same without one option. */
  without(name: string): Arguments {
    return new Arguments(this.options, { ...this.values, [name]: undefined }, this.positionals);
  }

  /** A whole number of at least `least`. @throws UsageError */
  whole(name: string, least: number): number {
    const text = this.text(name) ?? '';
    const value = Number(text);
    if (text === '' || !Number.isInteger(value) || value < least) {
      throw new UsageError(`cannot use --${name}=${text}: give a whole number of at least ${least}`);
    }
    return value;
  }

  /** A percentage, from 0 to 100. @throws UsageError */
  share(name: string): number {
    const text = this.text(name) ?? '';
    const value = Number(text);
    if (text.trim() !== '' && value >= 0 && value <= 100) return value;
    throw new UsageError(`cannot use --${name}=${text}: give a number from 0 to 100`);
  }

  /** One of `choices`, or undefined if it was not given. @throws UsageError */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw new UsageError(`cannot use --${name}=${text}: give one of ${choices.join(', ')}`);
    return found;
  }
}

/**
 * Reads the arguments of a command. `most` is the number of positional arguments that it takes.
 * @throws UsageError for an option that the command doesn't have, a missing value, or too many arguments
 */
export function parseArguments(name: string, options: Options, most: number, argv: readonly string[]): Arguments {
  const table = { ...COMMON_OPTIONS, ...options };
  const hint = `see \`glasshouse ${name} --help\``;
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(table).map(([option, { type, short, multiple }]) => [
          option,
          { type, ...(short === undefined ? {} : { short }), ...(multiple === undefined ? {} : { multiple }) },
        ]),
      ),
    });
    if (positionals.length > most) {
      throw new UsageError(
        `cannot use argument=${positionals[most]}: ${name} takes ${most === 0 ? 'none' : `at most ${most}`}`,
        hint,
      );
    }
    return new Arguments(table, values, positionals);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(
      `cannot read the arguments of ${name}: ${firstSentence(messageOf(error))}${nearestOption(error, table)}`,
      hint,
      error,
    );
  }
}

function firstSentence(message: string): string {
  return message.split('. ', 1)[0] ?? message;
}

function nearestOption(error: unknown, table: Options): string {
  const wrong = /Unknown option '--?([^']+)'/.exec(messageOf(error))?.[1];
  const near = wrong === undefined ? undefined : nearest(wrong, Object.keys(table));
  return near === undefined ? '' : `; did you mean --${near}?`;
}

/** The name that is at most two edits away, or that begins the same; undefined if none is. */
export function nearest(wrong: string, names: readonly string[]): string | undefined {
  const ranked = names
    .map((name) => ({ name, distance: name.startsWith(wrong) && wrong.length > 1 ? 0 : editDistance(wrong, name) }))
    .toSorted((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= 2 ? best.name : undefined;
}

function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1;
      line.push(Math.min((line[column - 1] ?? 0) + 1, (above[column] ?? 0) + 1, (above[column - 1] ?? 0) + cost));
    }
    above = line;
  }
  return above[b.length] ?? 0;
}
