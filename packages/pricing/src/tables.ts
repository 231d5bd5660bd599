/**
 * The table that a server starts with: our own rows before the library's, and a newer list before both if there is one.
 *
 * Must stay true: making it needs neither files nor the network.
 */

import { ownRows } from './data/own.ts';
import { libraryRows } from './library.ts';
import { priceTable, type PriceLayer, type PriceTable, type PriceTableOptions } from './table.ts';

/** The layers that are shipped, the preferred one first. */
export function shippedLayers(): PriceLayer[] {
  return [
    { name: 'our table', rows: ownRows() },
    { name: 'the library', rows: libraryRows().rows },
  ];
}

/** A table of what is shipped, behind the layers that are given, such as those of `glasshouse prices update`. */
export function shippedTable(options: PriceTableOptions = {}, newer: readonly PriceLayer[] = []): PriceTable {
  return priceTable([...newer, ...shippedLayers()], options);
}
