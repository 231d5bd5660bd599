/**
 * Judges what a table's definition holds beside types and expressions: codecs, types of indexes, and settings of the engine. Lists of
 * names with literals behind them.
 *
 * Must stay true: nothing here names a disk, a path, a key or another table.
 */

import { AppError } from '@glasshouse/model';
import { isOperator, tokenize, type Token } from '../lexer.ts';
import { words } from './functions.ts';
import { shorten } from './policy.ts';
import { hasComments } from './types.ts';

const CODECS: ReadonlySet<string> = lowerSet('Default NONE LZ4 LZ4HC ZSTD Delta DoubleDelta Gorilla T64 FPC GCD ALP');
const INDEX_TYPES: ReadonlySet<string> = lowerSet(
  'minmax set bloom_filter ngrambf_v1 tokenbf_v1 sparse_grams text vector_similarity',
);

/** Settings of a table that change how it is stored and merged, and nothing else. */
const SETTINGS: ReadonlySet<string> = new Set(
  words(`
    allow_dimensions_outside_sorting_key allow_nullable_key enable_mixed_granularity_parts index_granularity index_granularity_bytes
    max_bytes_to_merge_at_max_space_in_pool merge_max_block_size merge_with_ttl_timeout min_age_to_force_merge_on_partition_only
    min_age_to_force_merge_seconds min_bytes_for_wide_part min_rows_for_wide_part parts_to_delay_insert parts_to_throw_insert
    ratio_of_defaults_for_sparse_serialization ttl_only_drop_parts
  `),
);

/** Judges `ZSTD(1)`, `Delta, LZ4` or `CODEC(…)` of these; answers with what stands between the parentheses. Throws `bad_request`. */
export function judgeCodec(text: string, what = 'the codec'): string {
  const plain = /^\s*CODEC\s*\((.*)\)\s*$/isu.exec(text)?.[1] ?? text;
  return calls(plain, CODECS, 'codec', what).join(', ');
}

/** Judges `minmax` or `bloom_filter(0.01)`. Throws `bad_request`. */
export function judgeIndexType(text: string, what = 'the index'): string {
  const [type, second] = calls(text, INDEX_TYPES, 'type of index', what);
  if (type !== undefined && second === undefined) return type;
  throw refusal(what, 'it must have one type');
}

/** Judges settings; answers with their values as the engine takes them. Throws `bad_request`. */
export function judgeEngineSettings(settings: Readonly<Record<string, string>>): Record<string, string> {
  const judged: Record<string, string> = {};
  for (const [name, value] of Object.entries(settings)) {
    if (!SETTINGS.has(name))
      throw refusal(`ENGINE_SETTINGS ${shorten(name)}`, `it must be one of ${[...SETTINGS].join(', ')}`);
    const plain = value.replace(/^'(.*)'$/su, '$1');
    if (!/^(?:\d{1,20}(?:\.\d{1,10})?|true|false)$/u.test(plain))
      throw refusal(`ENGINE_SETTINGS ${name}=${shorten(value)}`, 'give a number');
    judged[name] = plain;
  }
  return judged;
}

/** `name`, `name(1, 'x')`, `name(key = 'x')`, several with commas. */
function calls(text: string, names: ReadonlySet<string>, kind: string, what: string): string[] {
  const tokens = tokenize(text);
  if (hasComments(text, tokens)) throw refusal(what, 'write it without comments');
  const found: string[] = [];
  let at = 0;
  do {
    const name = tokens[at];
    if (name?.kind !== 'word' || !names.has(name.value.toLowerCase()))
      throw refusal(what, `there is no ${kind} ${shorten(name?.text ?? '')}`, name);
    at += 1;
    const parameters: string[] = [];
    if (isOperator(tokens[at], '(')) {
      do {
        const end = endOfParameter(tokens, at + 1);
        if (end === at + 1) throw refusal(what, 'its arguments must be literals', tokens[end]);
        parameters.push(
          tokens
            .slice(at + 1, end)
            .map((token) => token.text)
            .join(' '),
        );
        at = end;
      } while (isOperator(tokens[at], ','));
      if (!isOperator(tokens[at], ')')) throw refusal(what, 'its arguments must be literals', tokens[at]);
      at += 1;
    }
    found.push(parameters.length === 0 ? name.value : `${name.value}(${parameters.join(', ')})`);
  } while (isOperator(tokens[at], ',') && (at += 1) > 0);
  if (at < tokens.length) throw refusal(what, `${shorten(tokens[at]?.text ?? '')} does not belong here`, tokens[at]);
  return found;
}

/** Index behind a number or text, or behind `key = text`; the given one if there is none. */
function endOfParameter(tokens: readonly Token[], at: number): number {
  const [first, second] = [tokens[at], tokens[at + 1]];
  const value = first?.kind === 'word' && isOperator(second, '=') ? at + 2 : at;
  const kind = tokens[value]?.kind;
  return kind === 'number' || kind === 'string' || (kind === 'word' && value > at) ? value + 1 : at;
}

function refusal(what: string, why: string, token?: Token): AppError {
  const where = token === undefined ? '' : ` at position ${token.start + 1}`;
  return new AppError('bad_request', `cannot use ${what}${where}: ${why}`);
}

function lowerSet(list: string): ReadonlySet<string> {
  return new Set(words(list).map((word) => word.toLowerCase()));
}
