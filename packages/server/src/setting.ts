/** Kinds of settings: how the text of a variable becomes a value, and what is said of one that cannot. */

import { AppError } from '@glasshouse/model';

export interface Setting<T> {
  readonly name: string;
  readonly description: string;
  /** As the reference page shows it. */
  readonly defaultText: string;
  /** A secret can also be given as the path of a file, in NAME_FILE. */
  readonly secret?: boolean;
  /** Turns the text of the environment into a value; `undefined` stands for an absent variable. */
  readonly parse: (text: string | undefined) => T;
}

/** Thrown for a value that cannot be used; names the variable and the fix. */
function refuse(name: string, value: string, fix: string): never {
  throw new AppError('bad_request', `cannot use ${name}=${value}: ${fix}`);
}

export function text(name: string, fallback: string, description: string): Setting<string> {
  return { name, description, defaultText: fallback || 'none', parse: (value) => value || fallback };
}

export function optionalText(name: string, description: string, secret = false): Setting<string | undefined> {
  return { name, description, defaultText: 'none', secret, parse: (value) => value || undefined };
}

/** 32 bytes in hex. What is wrong is not repeated, because it may be most of a key. */
export function keyOf(name: string, description: string): Setting<string | undefined> {
  const parse = (value: string | undefined): string | undefined => {
    const key = value?.trim() || undefined;
    if (key === undefined || /^[0-9a-f]{64}$/iu.test(key)) return key;
    throw new AppError(
      'bad_request',
      `cannot use ${name}: give 64 hex digits, as \`openssl rand -hex 32\` prints them`,
    );
  };
  return { name, description, defaultText: 'none', secret: true, parse };
}

export function integer(
  name: string,
  fallback: number,
  least: number,
  most: number,
  description: string,
  defaultText = String(fallback),
): Setting<number> {
  const parse = (value: string | undefined): number => {
    if (value === undefined || value === '') return fallback;
    const number = Number(value);
    if (!Number.isInteger(number) || number < least || number > most) {
      refuse(name, value, `give a whole number from ${least} to ${most}`);
    }
    return number;
  };
  return { name, description, defaultText, parse };
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

export function bytes(name: string, fallback: number, defaultText: string, description: string): Setting<number> {
  const parse = (value: string | undefined): number => {
    if (value === undefined || value === '') return fallback;
    const match = /^(\d+)\s*([kmg]?)i?b?$/i.exec(value.trim());
    if (match === null) refuse(name, value, 'give a size such as 512MiB or 4GiB');
    return Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] as number);
  };
  return { name, description, defaultText, parse };
}

export function choice<const T extends string>(
  name: string,
  choices: readonly T[],
  fallback: T,
  description: string,
): Setting<T> {
  const parse = (value: string | undefined): T => {
    if (value === undefined || value === '') return fallback;
    return choices.find((option) => option === value) ?? refuse(name, value, `give one of ${choices.join(', ')}`);
  };
  return { name, description, defaultText: fallback, parse };
}

export const port = (name: string, fallback: number, description: string): Setting<number> =>
  integer(name, fallback, 0, 65_535, `${description} 0 takes any free port.`);

export function hostList(name: string, description: string): Setting<ReadonlySet<string>> {
  const parse = (value: string | undefined): ReadonlySet<string> => {
    const hosts = (value ?? '')
      .split(',')
      .map((host) => host.trim().toLowerCase())
      .filter((host) => host !== '');
    const wrong = hosts.find((host) => !/^(?:[\w.-]+|\[[\da-f:.]+\]):\d{1,5}$/u.test(host));
    if (wrong !== undefined) refuse(name, wrong, 'give host:port, as in files.internal:8080, separated by commas');
    return new Set(hosts);
  };
  return { name, description, defaultText: 'none', parse };
}
