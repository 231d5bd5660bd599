/**
 * The arithmetic of a cost, as text: what was reported, what was taken out of what, which row and why, and each product. What
 * `glasshouse prices explain` prints.
 *
 * Must stay true: everything that decided the price is in the text, so that anybody can do the sum with pen and paper.
 */

import { PER, type Kind } from './kinds.ts';
import { formatDecimal, formatMoney, MONEY_SCALE, type Money } from './money.ts';
import type { Generation, Priced } from './pricer.ts';
import type { PriceRow } from './row.ts';

const UNITS: Readonly<Partial<Record<Kind, string>>> = {
  images: 'images',
  pixels: 'pixels',
  audioMs: 'ms of audio',
  videoMs: 'ms of video',
  characters: 'characters',
  pages: 'pages',
  annotatedPages: 'annotated pages',
  searches: 'searches',
  storageSearches: 'searches of files',
  requests: 'requests',
};

/** The text, one line per fact. `reported` is the client's own cost, shown beside ours. */
export function explain(generation: Generation, priced: Priced, reported?: Money): string {
  const { cost, found, rule } = priced;
  const lines = [
    `${generation.provider === '' ? 'unknown provider' : generation.provider} ${generation.model}, ${new Date(generation.at).toISOString()}`,
    `reported: ${pairs(generation.usage)}`,
    `counted as ${rule.dialect} does: ${containment(priced)} (${rule.source})`,
    ...cost.notes.map((note) => `  but ${note}`),
  ];
  if (found.found) {
    const { row, layer, steps, pattern } = found.alternative;
    lines.push(`price: ${row.id} of ${layer}, for ${pattern}${conditions(row)}`);
    for (const step of steps) lines.push(`  name: ${step}`);
    lines.push(`  source: ${sourceText(row)}`);
  }
  for (const part of cost.parts) {
    const per = PER[part.pricedAs];
    const as = part.pricedAs === part.kind ? '' : `, priced as ${part.pricedAs}`;
    const unit = UNITS[part.kind] ?? 'tokens';
    const price = per === 1 ? `$${part.price}` : `$${part.price} / ${group(per)}`;
    lines.push(`  ${part.kind}: ${group(part.quantity)} ${unit} x ${price} = $${fixed(part.money)}${as}`);
  }
  if (cost.unbilled.length > 0) lines.push(`  not on the bill: ${cost.unbilled.join(', ')}`);
  lines.push(
    cost.total === undefined ? `cost: unknown, because ${cost.missing.join('; ')}` : `cost: $${fixed(cost.total)}`,
  );
  if (reported !== undefined) {
    const difference = cost.total === undefined ? '' : `, ${signed(reported - cost.total)} to ours`;
    lines.push(`the client's own cost: $${fixed(reported)}${difference}`);
  }
  return lines.join('\n');
}

function containment({ rule }: Priced): string {
  const within = (inside: boolean, part: string, total: string): string =>
    `${part} ${inside ? 'in' : 'on top of'} ${total}`;
  return [
    within(rule.cacheRead, 'cached', 'input'),
    within(rule.cacheWrite, 'cache writes', 'input'),
    within(rule.reasoning, 'reasoning', 'output'),
  ].join(', ');
}

function conditions(row: PriceRow): string {
  const { tier, contextAbove, contextUpTo, size, quality, hours } = row.when ?? {};
  const all = [
    row.from === undefined ? '' : `from ${row.from}`,
    row.until === undefined ? '' : `until ${row.until}`,
    tier === undefined ? '' : `tier ${tier}`,
    contextAbove === undefined ? '' : `above ${group(contextAbove)} tokens of input`,
    contextUpTo === undefined ? '' : `up to ${group(contextUpTo)} tokens of input`,
    size === undefined ? '' : `size ${size}`,
    quality === undefined ? '' : `quality ${quality}`,
    hours === undefined ? '' : `${hours.from} to ${hours.until} UTC`,
  ].filter((text) => text !== '');
  return all.length === 0 ? '' : `, ${all.join(', ')}`;
}

function sourceText({ source }: PriceRow): string {
  return [source.url, source.via, `read ${source.date}`].filter((text) => text !== undefined).join(', ');
}

function pairs(counts: object): string {
  const all = Object.entries(counts).filter(([, count]) => count !== undefined);
  return all.length === 0 ? 'nothing' : all.map(([name, count]) => `${name} ${group(Number(count))}`).join(', ');
}

function group(count: number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

function fixed(money: Money): string {
  return formatDecimal(money, MONEY_SCALE, MONEY_SCALE);
}

function signed(money: Money): string {
  return money < 0n ? `-$${formatMoney(-money)}` : `+$${formatMoney(money)}`;
}
