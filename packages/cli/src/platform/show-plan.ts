/** A plan and what is wrong with a project, as a person reads them. */

import type { Notice } from '@glasshouse/language';
import type { Output } from '../output.ts';
import { countText } from '../output.ts';
import { printable } from '../width.ts';
import type { Impact, Plan, PlanItem, Problem } from './plan.ts';

const SIGNS = { create: ['+', 'green'], change: ['~', 'yellow'], delete: ['-', 'red'] } as const;
const MAX_WARNINGS = 20;

/** What will happen, resource by resource. */
export function showPlan(output: Output, { items }: Plan): void {
  const width = Math.max(...items.map(({ name }) => name.length));
  output.line(output.paint('bold', 'Plan'));
  for (const item of items) {
    const [sign, colour] = SIGNS[item.action];
    const what = `${item.kind.padEnd('datasource'.length)}  ${printable(item.name).padEnd(width)}`;
    const cost = item.impact === 'destructive' ? output.paint('red', costOf(item)) : costOf(item);
    output.line(`  ${output.paint(colour, `${sign} ${what}`)}  ${cost}`);
    for (const message of item.messages) output.line(`      ${printable(message)}`);
  }
  output.line();
}

/** What it costs, in words. */
function costOf({ action, kind, impact, rows }: Pick<PlanItem, 'action' | 'impact' | 'kind' | 'rows'>): string {
  if (action === 'create') return 'new';
  const counted = rows === undefined ? 'its rows' : rows === 1 ? '1 row' : `${countText(rows)} rows`;
  if (action === 'delete') return kind === 'pipe' ? 'deleted' : `deleted, with ${counted}`;
  const words: Readonly<Record<Impact, string>> = {
    new: 'new',
    inPlace: 'changed in place',
    rebuild: kind === 'pipe' ? 'changed; what it fills is filled again' : `rebuilt: ${counted} written anew`,
    destructive: rows === undefined ? 'changed, values are lost' : `changed, values of ${counted} are lost`,
  };
  return words[impact];
}

/** Mistakes, each with its place, so that an editor finds it. */
export function showProblems(output: Output, problems: readonly (Notice | Problem)[]): void {
  for (const problem of problems) {
    const [first = '', ...rest] = problem.message.split('\n');
    output.note(`${placeOf(problem)}${printable(first)}`, 'red');
    for (const line of rest) output.note(`    ${printable(line)}`);
    if ('hint' in problem) output.note(`    ${printable(problem.hint)}`);
  }
}

export function showWarnings(output: Output, warnings: readonly Notice[]): void {
  for (const warning of warnings.slice(0, MAX_WARNINGS)) {
    output.note(`${placeOf(warning)}${printable(warning.message)}`, 'yellow');
    output.note(`    ${printable(warning.hint)}`);
  }
  if (warnings.length > MAX_WARNINGS) output.note(`… and ${warnings.length - MAX_WARNINGS} more of these`, 'yellow');
}

/** `file:line:column: `, as compilers write it. */
function placeOf(problem: Notice | Problem): string {
  if (problem.file === '') return '';
  const column = 'column' in problem ? problem.column : undefined;
  return `${[problem.file, problem.line, column].filter((part) => part !== undefined).join(':')}: `;
}
