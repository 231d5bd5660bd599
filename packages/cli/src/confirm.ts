/** Asking before what can't be undone. Without a terminal nobody can answer, so there it takes `--yes`. */

import { createInterface } from 'node:readline/promises';
import type { Arguments } from './args.ts';
import type { Context } from './command.ts';
import { UsageError } from './errors.ts';

/** True after a yes, or with --yes. @throws UsageError where nobody can be asked */
export async function confirm({ input, output, screen }: Context, args: Arguments, question: string): Promise<boolean> {
  if (args.flag('yes')) return true;
  if (!input.isTTY)
    throw new UsageError('cannot ask whether you are sure: this is no terminal', 'give --yes to say so');
  const reader = createInterface({ input, output: screen });
  const answer = await reader.question(`${question} [y/N] `);
  reader.close();
  const sure = /^y(es)?$/i.test(answer.trim());
  if (!sure) output.note('Nothing was changed.');
  return sure;
}
