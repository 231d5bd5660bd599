/**
 * Pricing room: what a generation costs, exactly, and why. Pure: no engine, no network; tables are built from data that is shipped
 * or passed in.
 */

export { formatMoney, moneyOf, MONEY_SCALE, parseDecimal } from './money.ts';
export type { Money } from './money.ts';
export { isKind, KINDS, MEASURE_OF, PER } from './kinds.ts';
export type { Kind, Measure, Prices, Quantities } from './kinds.ts';
export { faultOf, splitUsage } from './usage.ts';
export type { Containment, Split, Usage, UsageField } from './usage.ts';
export { dialectOf, DIALECTS, nativeDialect, USAGE_RULES, usageRule } from './rules.ts';
export type { Dialect, UsageRule } from './rules.ts';
export { readUsage } from './read-usage.ts';
export { nameCandidates, normaliseProvider, providerOfModel } from './names.ts';
export type { NameCandidate } from './names.ts';
export { checkRow, tierOf, TIERS } from './row.ts';
export type { Conditions, PriceRow, Source, Tier } from './row.ts';
export { checkOverride, tenantPrices } from './overrides.ts';
export type { ModelAlias, PriceOverride, TenantPrices } from './overrides.ts';
export { applies, priceTable, PriceTable } from './table.ts';
export type { Alternative, Found, PriceKey, PriceLayer, PricePoint, PriceTableOptions } from './table.ts';
export { costOf, costOfSplit } from './cost.ts';
export type { Cost, CostPart } from './cost.ts';
export { Pricer } from './pricer.ts';
export type { Generation, Priced, Total } from './pricer.ts';
export { COMPILED_COLUMNS, compilePrices, costExpressions, joinOn } from './compiled.ts';
export type { CompiledPrice, CostExpressions, CostQuery } from './compiled.ts';
export { explain } from './explain.ts';
export { Repricing, UnknownModels } from './tally.ts';
export type { Change, UnknownModel } from './tally.ts';
export { importGenaiPrices } from './import/genai-prices.ts';
export { importLiteLlm } from './import/litellm.ts';
export { importAvailableModels, importImageModelPricing } from './import/available-models.ts';
export type { Imported } from './import/json.ts';
export { LIBRARY_PROVIDERS, LIBRARY_VERSION, libraryRows } from './library.ts';
export { ownRows } from './data/own.ts';
export { shippedLayers, shippedTable } from './tables.ts';
