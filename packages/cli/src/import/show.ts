/** What an import says: its progress, its end, and what a trial found. */

import { statSync } from 'node:fs';
import type { Arguments } from '../args.ts';
import type { Context } from '../command.ts';
import { bytesText, countText, durationText } from '../output.ts';
import { rowsText } from '../platform/command.ts';
import type { Journal, Resumption } from './journal.ts';
import type { Trial } from './trial.ts';

/** How fast it goes, since this run began. */
export class Speed {
  text = 'beginning';
  private readonly begin: Journal;
  private readonly beginMs: number;
  private readonly now: () => number;

  constructor(begin: Journal, now: () => number) {
    this.begin = begin;
    this.beginMs = now();
    this.now = now;
  }

  update({ offset, counts }: Journal, path: string): string {
    const seconds = Math.max(0.001, (this.now() - this.beginMs) / 1000);
    const bytesPerSecond = (offset - this.begin.offset) / seconds;
    const linesPerSecond = (counts.lines - this.begin.counts.lines) / seconds;
    // Of a packed file it is not known how much is in it.
    const total = path === '-' || path.endsWith('.gz') ? undefined : statSync(path, { throwIfNoEntry: false })?.size;
    const parts = [
      total === undefined || total === 0
        ? bytesText(offset)
        : `${Math.floor((100 * offset) / total)} %, ${bytesText(offset)} of ${bytesText(total)}`,
      `${countText(linesPerSecond)} lines/s`,
      ...(counts.rejected > 0 ? [`${countText(counts.rejected)} rejected`] : []),
      ...(total === undefined || bytesPerSecond <= 0 || total <= offset
        ? []
        : [`${durationText((1000 * (total - offset)) / bytesPerSecond)} left`]),
    ];
    this.text = parts.join(', ');
    return this.text;
  }
}

export function showImported(
  { output }: Context,
  isJson: boolean,
  end: {
    readonly dataSource: string;
    readonly journal: Journal;
    readonly resumption: Resumption;
    readonly quarantined: number | undefined;
    readonly elapsedMs: number;
  },
): void {
  const { dataSource, journal, resumption, quarantined, elapsedMs } = end;
  const { lines, rows, rejected } = journal.counts;
  if (isJson) {
    output.json({
      datasource: dataSource,
      import: journal.id,
      began: resumption,
      records: lines,
      rows,
      rejected,
      quarantined: quarantined ?? null,
      bytes: journal.offset,
      elapsed_ms: elapsedMs,
    });
    return;
  }
  const isClean = rejected === 0 && (quarantined ?? 0) === 0;
  const sign = isClean ? output.paint('green', '✓') : output.paint('yellow', '!');
  if (resumption === 'done')
    output.line(`${sign} It was imported already: ${rowsText(rows)} in ${dataSource}. --restart imports it again.`);
  else
    output.line(
      `${sign} ${rowsText(rows)} of ${countText(lines)} records sent to ${dataSource} in ${durationText(elapsedMs)}.`,
    );
  if (rejected > 0) output.line(`  ${countText(rejected)} could not be read; the .rejected file beside it says why.`);
  if ((quarantined ?? 0) > 0)
    output.line(
      `  ${rowsText(quarantined ?? 0)} did not fit; \`glasshouse datasource quarantine ${dataSource}\` shows why.`,
    );
}

export function showTrial({ output }: Context, args: Arguments, dataSource: string, trial: Trial): void {
  if (args.flag('json')) {
    output.json({ datasource: dataSource, dry_run: true, ...trial });
    return;
  }
  for (const row of trial.rows) output.line(JSON.stringify(row));
  const looked = `Of the first ${countText(trial.records)} records`;
  output.line(
    `${looked}, ${countText(trial.rejected)} cannot be read, and ${countText(trial.misfits)} would probably be quarantined. Nothing was sent.`,
  );
  for (const { reason, lines, firstLine } of trial.reasons)
    output.line(`  ${countText(lines)} x ${reason} (first in line ${firstLine})`);
}
