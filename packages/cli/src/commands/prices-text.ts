/** What the commands of prices have in common: where the server answers them, and how a row of prices reads. */

import { UsageError } from '../errors.ts';

export const PRICES = '/api/v1/prices';
export const MORE = 'docs/guides/prices.md';

/** A row of prices, as the server shows it. */
export interface PriceRow {
  readonly id: string;
  readonly provider: string;
  readonly models: readonly string[];
  readonly layer: string;
  readonly steps: readonly string[];
  readonly isInForce: boolean;
  readonly from?: string;
  readonly until?: string;
  readonly when?: Readonly<Record<string, unknown>>;
  readonly prices: Readonly<Record<string, string>>;
  readonly source: { readonly url?: string; readonly via?: string; readonly date: string };
}

/** `input 2.5, output 10`. */
export function pricesText(prices: Readonly<Record<string, string>>): string {
  return Object.entries(prices)
    .map(([kind, price]) => `${kind} ${price}`)
    .join(', ');
}

/** Under which conditions a row applies; empty if there are none. */
export function conditionsText({ from, until, when = {} }: Pick<PriceRow, 'from' | 'until' | 'when'>): string {
  const parts = [
    from === undefined ? '' : `from ${from}`,
    until === undefined ? '' : `until ${until}`,
    ...Object.entries(when).map(
      ([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    ),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** Provider and model of `openai/gpt-4o`. @throws UsageError */
export function modelOf(
  text: string | undefined,
  command: string,
): { readonly provider: string; readonly model: string } {
  const slash = text?.indexOf('/') ?? -1;
  if (text === undefined || slash <= 0 || slash === text.length - 1)
    throw new UsageError(
      `cannot tell the model${text === undefined ? '' : ` in ${text}`}: write it as PROVIDER/MODEL, such as openai/gpt-4o`,
      `see \`glasshouse ${command} --help\``,
    );
  return { provider: text.slice(0, slash), model: text.slice(slash + 1) };
}
