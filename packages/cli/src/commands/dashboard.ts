/** `dashboard`: the address of the web page, opened in a browser where there is a screen. */

import { spawn } from 'node:child_process';
import { SERVER_OPTIONS } from '../args.ts';
import type { Command, Environment } from '../command.ts';
import { clientOf } from '../target.ts';

export const dashboard: Command = {
  name: 'dashboard',
  summary: 'open the web page, or print its address',
  usage: '',
  description: ['Prints the address of the main port and, where there is a screen, opens it in the browser.'],
  options: { ...SERVER_OPTIONS, 'no-open': { type: 'boolean', description: 'Only print the address' } },
  positionals: 0,
  examples: [
    { command: 'glasshouse dashboard', what: 'open it' },
    { command: 'glasshouse dashboard --no-open', what: 'only the address' },
  ],
  more: 'README.md',
  run: async (context, args) => {
    const { output, env } = context;
    const client = clientOf(context, args);
    await client.ask('/health');
    const opener = args.flag('no-open') || args.flag('json') || !output.isTerminal ? undefined : openerOf(env);
    const opened = opener !== undefined && (await open(opener, client.url));
    if (args.flag('json')) output.json({ url: client.url });
    else output.line(opened ? `Opened ${client.url}` : client.url);
    return 0;
  },
};

/** The program that opens an address; none where nobody would see it. */
function openerOf(env: Environment): string | undefined {
  if (process.platform === 'darwin') return 'open';
  return env['DISPLAY'] || env['WAYLAND_DISPLAY'] ? 'xdg-open' : undefined;
}

function open(opener: string, url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(opener, [url], { detached: true, stdio: 'ignore' });
    child.once('error', () => resolve(false));
    child.once('spawn', () => {
      child.unref();
      resolve(true);
    });
  });
}
