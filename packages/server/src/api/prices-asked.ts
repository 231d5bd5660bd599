/**
 * Questions about stored generations: why one costs what it does, and which models have no cost. Both go through the query door, so
 * that nobody sees another tenant's rows.
 *
 * Must stay true: the text of a statement has no value of a caller in it.
 */

import { text } from 'node:stream/consumers';
import { AppError } from '@glasshouse/model';
import type { CostPart, UnknownModel } from '@glasshouse/pricing';
import type { PriceBook } from '../control/prices.ts';
import { COUNT_COLUMNS, PRICE_SELECT, priceableOf, pricedStored } from '../control/stored-generation.ts';
import type { StoredGeneration } from '../control/stored-generation.ts';
import { queryPrincipal } from '../platform/endpoints-reads.ts';
import type { WorkspacePrincipal } from '../platform/principal.ts';
import type { Door } from '../query/door.ts';

/** Groups of generations without a cost that are looked at. */
const MAX_GROUPS = 1_000;
const UUID = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

/** What a generation costs by the present prices, with every step, beside what is stored. */
export interface Explained {
  readonly id: string;
  readonly text: string;
  readonly cost: string | null;
  readonly parts: readonly (Omit<CostPart, 'money'> & { readonly cost: string })[];
  readonly priceRow: string | null;
  readonly layer: string | null;
  readonly why: readonly string[];
  readonly version: string;
  readonly stored: { readonly cost: string | null; readonly priceRow: string; readonly version: string };
  /** Whether what is stored is what the present prices say. */
  readonly agrees: boolean;
  readonly clientCost: string | null;
}

export async function explainGeneration(
  door: Pick<Door, 'run'>,
  book: PriceBook,
  who: WorkspacePrincipal,
  id: string,
): Promise<Explained> {
  if (!UUID.test(id))
    throw new AppError('bad_request', `cannot explain GENERATION=${id.slice(0, 40)}: an id has 32 hexadecimal digits`);
  const [row] = await ask<StoredGeneration & { readonly client: string | null }>(
    door,
    who,
    `SELECT ${PRICE_SELECT.join(', ')}, toString(client_cost) AS client FROM telemetry.generations
     WHERE generation_id = {id:UUID} LIMIT 1`,
    { id: dashed(id) },
  );
  if (row === undefined)
    throw new AppError('not_found', `cannot explain GENERATION=${id}: the tenant has none of that id`);
  const table = await book.currentTable();
  const pricing = await import('@glasshouse/pricing');
  const { generation, priced } = pricedStored(new pricing.Pricer(table), row, who.tenant, pricing);
  const { cost, found } = priced;
  const money = cost.total === undefined ? null : pricing.formatMoney(cost.total);
  const reported = row.client === null ? undefined : pricing.moneyOf(row.client);
  const stored = { cost: row.stored_cost, priceRow: row.price_row, version: row.price_version };
  const priceRow = found.found ? found.alternative.row.id : null;
  const agrees = stored.cost === money && stored.priceRow === (priceRow ?? '');
  const lines = [
    pricing.explain(generation, priced, reported),
    agrees
      ? `stored: the same (table ${stored.version})`
      : `stored: ${stored.cost === null ? 'unknown' : `$${stored.cost}`}` +
        `${stored.priceRow === '' ? '' : ` by ${stored.priceRow}`} of table ${stored.version}, before the present ${table.version}; ` +
        'a re-pricing would change it',
  ];
  return {
    id: row.id,
    text: lines.join('\n'),
    cost: money,
    parts: cost.parts.map(({ money: part, ...rest }) => ({ ...rest, cost: pricing.formatMoney(part) })),
    priceRow,
    layer: found.found ? found.alternative.layer : null,
    why: cost.missing,
    version: table.version,
    stored,
    agrees,
    clientCost: row.client,
  };
}

/** The models of which generations have no cost, those with the most first, and why. */
export async function unknownModels(
  door: Pick<Door, 'run'>,
  book: PriceBook,
  who: WorkspacePrincipal,
  since: Date,
  until: Date,
): Promise<UnknownModel[]> {
  const names = ['usage_dialect', 'provider', 'model_requested', 'model_used', 'tier', 'image_quality'];
  const sizes = ['image_width', 'image_height'];
  // Which kinds were counted decides why there is no price; the greatest count of each stands for all of the group.
  const counts = COUNT_COLUMNS.filter((name) => !sizes.includes(name)).map((name) => `max(${name}) AS ${name}_seen`);
  const groups = await ask<Readonly<Record<string, unknown>>>(
    door,
    who,
    `SELECT ${[...names, ...sizes, ...counts].join(', ')}, toUnixTimestamp64Milli(max(time)) AS at,
       count() AS generations, sum(ifNull(input_tokens, 0) + ifNull(output_tokens, 0)) AS tokens,
       sum(ifNull(images, 0)) AS made
     FROM telemetry.generations
     WHERE cost IS NULL AND time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
       AND time < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
     GROUP BY ${[...names, ...sizes].join(', ')} ORDER BY generations DESC LIMIT ${MAX_GROUPS}`,
    { since: String(since.getTime()), until: String(until.getTime()) },
  );
  const pricing = await import('@glasshouse/pricing');
  const pricer = new pricing.Pricer(await book.currentTable());
  const unknown = new pricing.UnknownModels();
  for (const group of groups) {
    const row = { ...group } as Record<string, unknown>;
    for (const name of COUNT_COLUMNS) if (!sizes.includes(name)) row[name] = group[`${name}_seen`];
    const [first] = priceableOf(row as unknown as StoredGeneration, who.tenant, pricing);
    const { priced } = pricedStored(pricer, row as unknown as StoredGeneration, who.tenant, pricing);
    const reason = priced.cost.total === undefined ? priced.cost.missing.join('; ') : 'it has a price now: reprice';
    unknown.add(first?.provider ?? '', first?.model ?? '', reason, {
      generations: Number(group['generations']),
      tokens: Number(group['tokens']),
      images: Number(group['made']),
    });
  }
  return unknown.list();
}

async function ask<Row>(
  door: Pick<Door, 'run'>,
  who: WorkspacePrincipal,
  sql: string,
  params: Readonly<Record<string, string>>,
): Promise<Row[]> {
  const { stream } = await door.run(queryPrincipal(who), sql, { format: 'JSONEachRow', params });
  const lines = (await text(stream)).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Row);
}

function dashed(id: string): string {
  return id
    .toLowerCase()
    .replaceAll('-', '')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
