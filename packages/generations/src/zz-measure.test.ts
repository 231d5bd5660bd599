import { appendFileSync } from 'node:fs';
import { it } from 'vitest';
import { mayBeGeneration, recognitionOf, selectGenerations } from './compile.ts';
import { SPAN_DIALECTS, LINE_DIALECTS } from './dialects.ts';
import { FIXTURES } from './fixtures.suite.ts';
import { Stand } from './stand.suite.ts';
import type { GenerationRecord } from './read.ts';
it('measures', { timeout: 100_000 }, async () => {
  const stand = await Stand.open();
  const N = 20_000;
  const time = async (name: string, sql: string) => {
    let best = 1e9;
    for (let i = 0; i < 2; i++) { const t = performance.now(); await stand.query(sql); best = Math.min(best, performance.now() - t); }
    appendFileSync('/tmp/gh2/dialects/measure.txt', `${name}: ${best.toFixed(0)} ms, ${(best * 1e6 / N).toFixed(0)} ns/row\n`);
  };
  const plain: GenerationRecord = { fields: { timestamp: '1767323045678000000', duration_ns: '5', name: 'GET' }, string: Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`http.some.key${i}`, `value ${i}`])), int: { a: 1, b: 2 } };
  for (const [title, record, dialect] of [['plain', plain, ''] as const, ...FIXTURES.filter((f) => typeof f.record !== 'string').slice(0, 3).map((f) => [f.title, f.record, f.dialect] as const)]) {
    await stand.load('span', [record]);
    await stand.command('DROP TABLE IF EXISTS big SYNC');
    await stand.command(`CREATE TABLE big AS spans ENGINE = Memory`);
    await stand.command(`INSERT INTO big SELECT spans.* FROM spans CROSS JOIN numbers(${N}) AS x`);
    await time(`${title}: read`, `SELECT count() FROM big AS s WHERE NOT ignore(*) SETTINGS max_threads=1`);
    await time(`${title}: may be`, `SELECT count() FROM big AS s WHERE ${mayBeGeneration(SPAN_DIALECTS)} SETTINGS max_threads=1`);
    await time(`${title}: recognition`, `SELECT count() FROM big AS s WHERE ${recognitionOf(SPAN_DIALECTS)} != '' SETTINGS max_threads=1`);
    const d = SPAN_DIALECTS.find((x) => x.name === dialect);
    if (d) await time(`${title}: rows`, `SELECT count() FROM (${selectGenerations(d, 'big')}) AS g WHERE NOT ignore(*) SETTINGS max_threads=1`);
  }
  for (const f of FIXTURES.filter((x) => typeof x.record === 'string').slice(0, 3)) {
    await stand.load('line', [f.record]);
    await stand.command('DROP TABLE IF EXISTS bigl SYNC');
    await stand.command(`CREATE TABLE bigl AS lines ENGINE = Memory`);
    await stand.command(`INSERT INTO bigl SELECT lines.* FROM lines CROSS JOIN numbers(${N}) AS x`);
    const d = LINE_DIALECTS.find((x) => x.name === f.dialect);
    if (d) await time(`${f.title}: rows, sql ${selectGenerations(d, 'bigl').length} bytes`, `SELECT count() FROM (${selectGenerations(d, 'bigl')}) AS g WHERE NOT ignore(*) SETTINGS max_threads=1`);
  }
  await stand.close();
});
