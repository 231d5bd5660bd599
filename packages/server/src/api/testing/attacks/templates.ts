/** Attacks by the parameters of endpoints: each text in every place and type of a template, and texts that are templates themselves. */

import { INJECTIONS } from '../../../query/testing/attacks.ts';
import type { Attack, Victim } from './attack.ts';
import { json, one } from './attack.ts';

/** Endpoints of the attacker's workspace, by name: each puts `v` somewhere, and shows rows of `mine` with `tenant_id = 'a'` only. */
export const TEMPLATES: Readonly<Record<string, string>> = {
  t_text: 'SELECT {{ String(v) }} AS got',
  t_plain: 'SELECT {{ v }} AS got',
  t_list: 'SELECT {{ Array(v) }} AS got',
  t_numbers: "SELECT {{ Array(v, 'Int32') }} AS got",
  t_condition: "SELECT name FROM mine WHERE tenant_id = 'a' AND name = {{ String(v, '') }}",
  t_among: "SELECT name FROM mine WHERE tenant_id = 'a' AND name IN {{ Array(v) }}",
  t_set: "SELECT name FROM mine WHERE tenant_id = 'a' AND {{ sql_and(name=String(v)) }}",
  t_among_set: "SELECT name FROM mine WHERE tenant_id = 'a' AND {{ sql_and(name__in=Array(v)) }}",
  t_column: "SELECT toString({{ column(v, 'k') }}) AS got FROM mine WHERE tenant_id = 'a'",
  t_columns: "SELECT {{ columns(v, 'k') }} FROM mine WHERE tenant_id = 'a'",
  t_table: 'SELECT count() AS got FROM {{ TABLE(v) }}',
  t_number: 'SELECT {{ Int32(v) }} AS got',
  t_big: 'SELECT {{ UInt256(v) }} AS got',
  t_float: 'SELECT {{ Float64(v) }} AS got',
  t_date: 'SELECT {{ Date(v) }} AS got',
  t_time: 'SELECT {{ DateTime64(v) }} AS got',
  t_bool: 'SELECT {{ Boolean(v) }} AS got',
  t_symbol: "SELECT name FROM mine WHERE tenant_id = 'a' ORDER BY {{ symbol(v) }}",
  t_json: 'SELECT {{ JSON(v) }} AS got',
  t_joined: "SELECT {{ String('a' + v) }} AS got",
  t_inside: "SELECT concat('x', {{ String(v) }}) AS got",
  t_commented: 'SELECT 1 AS got -- {{ String(v) }}',
  t_branch:
    "SELECT name FROM mine WHERE tenant_id = 'a' {% if v == 'x' %} AND 1 {% else %} AND name = {{ String(v) }} {% end %}",
  t_loop: 'SELECT 1 AS got {% for x in Array(v) %}, {{ String(x) }} {% end %}',
  t_error: "{% if v != 'never' %} {{ error(v) }} {% end %} SELECT 1",
  t_split: "SELECT name FROM mine WHERE tenant_id = 'a' AND name IN {{ split_to_array(v, 'x') }}",
};

export function templateAttacks({ database, source, column }: Victim): readonly Attack[] {
  const t = `${database}.${source}`;
  const texts = [
    ...INJECTIONS,
    t,
    `\`${database}\`.\`${source}\``,
    `${t}'`,
    `(SELECT any(${column}) FROM ${t})`,
    `' || (SELECT any(${column}) FROM ${t}) || '`,
    `\\' || (SELECT any(${column}) FROM ${t}) || \\'`,
    `name FROM ${t} --`,
    `k, (SELECT any(${column}) FROM ${t})`,
    `x'), (SELECT any(${column}) FROM ${t}), ('`,
    `1, (SELECT any(${column}) FROM ${t})`,
    `['a', (SELECT 1)]`,
    `{{ TABLE('${t}') }}`,
    `{{ tb_secret('KEY') }}`,
    `{% import os %}`,
    `{{ __import__('os').environ }}`,
    `{{ ''.__class__.__mro__ }}`,
    '\u2019 OR 1 = 1',
    '\uFF07 OR 1 = 1',
    '\u02BC OR 1 = 1',
    "\u0000' OR 1 = 1",
    'a\u0000b',
    '\uD800',
    "\u00bf'\u00bf\u0027",
    `mine\` AS m, ${t} AS \``,
    'tenant_id = tenant_id',
    'name/*',
    '*/ OR 1 /*',
    'k`,`name',
    'mine FINAL',
    "merge('.*', '.*')",
    '1e999',
    '-9223372036854775809',
    '0x7fffffffffffffff',
    '9'.repeat(400),
    '2024-13-45',
    "2024-01-01' OR 1 = 1",
    `${'a,'.repeat(300)}' OR 1`,
  ];
  const places = Object.keys(TEMPLATES);
  const place = (index: number): string => places[index % places.length] as string;
  // Every text in several places, every place with a spread of texts.
  return texts.flatMap((v, index) => [
    one('templates', {
      request: `/v0/pipes/${place(index)}.json?${new URLSearchParams({ v }).toString()}`,
      as: 'caller',
    }),
    one('templates', {
      request: `/v0/pipes/${place(index * 3 + 1)}.json?${new URLSearchParams([
        ['v', 'x'],
        ['v', v],
      ]).toString()}`,
      as: 'caller',
    }),
    one('templates', json(`POST /v0/pipes/${place(index * 5 + 2)}.json`, { v }, 'caller')),
    one('templates', json(`POST /v0/pipes/${place(index * 7 + 3)}.csv`, { v: [v, { v }, [v], 1, null] }, 'caller')),
    one('templates', json(`POST /v0/pipes/${place(index * 11 + 4)}.json`, { [v]: v, v: 'x' }, 'caller')),
  ]);
}
