/** `logs`: the server's log, as a person reads it, or as it is. */

import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '@glasshouse/model';
import { DATA_OPTIONS } from '../args.ts';
import type { Command } from '../command.ts';
import { logPath, logSize, readLog, showLine, tailLines } from '../log-file.ts';
import { dataDirOf } from '../target.ts';

const POLL_MS = 250;

export const logs: Command = {
  name: 'logs',
  summary: "show the server's log",
  usage: '',
  description: [
    'Shows the end of DIR/glasshouse.log, which `glasshouse start` writes. Lines are shown with time, level, message and fields; ' +
      '--json shows them as they are in the file. Older logs are beside it, as glasshouse.log.1 to .3.',
  ],
  options: {
    ...DATA_OPTIONS,
    follow: { type: 'boolean', short: 'f', description: 'Go on until Ctrl-C, showing new lines as they come' },
    lines: { type: 'string', short: 'n', value: 'N', fallback: '50', description: 'Number of lines from the end' },
  },
  positionals: 0,
  examples: [
    { command: 'glasshouse logs -n 200', what: 'the last 200 lines' },
    { command: 'glasshouse logs --follow', what: 'watch it' },
    { command: "glasshouse logs --json | jq 'select(.level >= 40)'", what: 'warnings and errors' },
  ],
  more: '`glasshouse start --help`',
  run: async ({ env, output, interruption }, args) => {
    const dataDir = dataDirOf(env, args);
    const show = (line: string): void => output.line(args.flag('json') ? line : showLine(line, output.paint));
    const count = args.whole('lines', 0);
    let end = logSize(dataDir);
    if (end === 0 && !args.flag('follow')) {
      throw new AppError('not_found', `cannot show ${logPath(dataDir)}: there is none; \`glasshouse start\` writes it`);
    }
    for (const line of tailLines(dataDir, count)) show(line);
    if (!args.flag('follow')) return 0;
    const signal = interruption();
    let rest = '';
    while (!signal.aborted) {
      await sleep(POLL_MS);
      const size = logSize(dataDir);
      if (size === end) continue;
      const read = readLog(dataDir, end);
      end = read.end;
      const lines = (rest + read.text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') show(line);
    }
    return 0;
  },
};
