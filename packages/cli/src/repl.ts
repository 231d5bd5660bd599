/**
 * The interactive SQL prompt: lines are collected until a semicolon, Ctrl-C cancels the query that runs, history is kept in
 * the home directory.
 *
 * Must stay true: the history file is its owner's alone, because queries hold what people look for.
 */

import { appendFileSync, chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { messageOf } from '@glasshouse/model';
import type { Client, SqlOptions } from './client.ts';
import type { Context } from './command.ts';
import { hintOf } from './errors.ts';
import { pipeResult, showResult } from './results.ts';
import { namesFormat, splitStatements } from './statements.ts';

const HISTORY_LINES = 1_000;
const PROMPT = 'glasshouse> ';
const MORE_PROMPT = '       ...> ';

const TABLES = `SELECT name, comment FROM system.tables WHERE database = currentDatabase() ORDER BY name`;
const COLUMNS = `SELECT name, type, comment FROM system.columns WHERE database = currentDatabase() AND table = {table:String} ORDER BY position`;

const HELP = `A statement ends with a semicolon and may take several lines.
  \\d          the tables
  \\d TABLE    the columns of a table
  \\?          this
  \\q          leave, as does Ctrl-D
Ctrl-C cancels the query that runs, or clears what was typed.`;

/** Runs until the user leaves. Resolves to the exit code. */
export function runPrompt(context: Context, client: Client, params: SqlOptions['params']): Promise<number> {
  return new Prompt(context, client, params ?? {}).run();
}

class Prompt {
  private readonly context: Context;
  private readonly client: Client;
  private readonly params: Readonly<Record<string, string>>;
  private readonly historyPath: string;
  private typed = '';
  private running: AbortController | undefined;

  constructor(context: Context, client: Client, params: Readonly<Record<string, string>>) {
    this.context = context;
    this.client = client;
    this.params = params;
    this.historyPath = join(context.env['HOME'] ?? homedir(), '.glasshouse_history');
  }

  async run(): Promise<number> {
    const { output, input, screen } = this.context;
    await this.client.ask('/health');
    output.line(`Connected to ${this.client.url}. \\? helps, \\q leaves.`);
    const reader = createInterface({
      input,
      output: screen,
      prompt: PROMPT,
      history: this.readHistory(),
      historySize: HISTORY_LINES,
      removeHistoryDuplicates: true,
    });
    let open = true;
    const closed = new Promise<void>((resolve) => {
      reader.once('close', () => {
        open = false;
        resolve();
      });
    });
    reader.on('SIGINT', () => {
      if (this.running !== undefined) this.running.abort();
      else {
        if (this.typed === '' && reader.line === '') output.line('\n\\q leaves.');
        else output.line();
        this.typed = '';
        reader.setPrompt(PROMPT);
        // Ctrl-U: what is left on the line goes too.
        reader.write(null, { ctrl: true, name: 'e' });
        reader.write(null, { ctrl: true, name: 'u' });
        reader.prompt();
      }
    });
    let queue = Promise.resolve();
    let stay = true;
    reader.on('line', (line) => {
      queue = queue.then(async () => {
        if (stay) stay = await this.take(line);
        if (!open) return;
        if (!stay) reader.close();
        else {
          reader.setPrompt(this.typed === '' ? PROMPT : MORE_PROMPT);
          reader.prompt();
        }
      });
    });
    reader.prompt();
    await closed;
    // Input may have ended before its last statement did.
    await queue;
    output.line();
    return 0;
  }

  /** Takes a line that was typed. Resolves to false if it is time to leave. */
  private async take(line: string): Promise<boolean> {
    const { output } = this.context;
    const word = line.trim();
    if (this.typed === '') {
      if (['\\q', 'exit', 'quit', 'exit;', 'quit;'].includes(word)) return false;
      if (word === '\\?' || word === 'help') output.line(HELP);
      else if (word === '\\d') await this.show(TABLES, {});
      else if (word.startsWith('\\d ')) await this.show(COLUMNS, { table: word.slice(3).trim() });
      else if (word.startsWith('\\')) output.note(`There is no ${word}; \\? shows what there is.`);
      if (word === '' || word.startsWith('\\') || word === 'help') return true;
    }
    const { complete, rest } = splitStatements(`${this.typed}${line}\n`);
    this.typed = rest;
    for (const statement of complete) {
      this.remember(statement);
      await this.show(statement, this.params);
    }
    return true;
  }

  private async show(sql: string, params: Readonly<Record<string, string>>): Promise<void> {
    const { output } = this.context;
    const running = new AbortController();
    this.running = running;
    try {
      const options = { signal: running.signal, params };
      if (namesFormat(sql)) await pipeResult(this.client, output, sql, 'JSON', options);
      else await showResult(this.client, output, sql, options);
    } catch (error) {
      if (running.signal.aborted) output.note('Cancelled.', 'yellow');
      else {
        output.note(messageOf(error), 'red');
        const hint = hintOf(error);
        if (hint !== undefined) output.note(hint);
      }
    } finally {
      this.running = undefined;
    }
    output.line();
  }

  /** Newest first, as readline wants it. */
  private readHistory(): string[] {
    try {
      const lines = readFileSync(this.historyPath, 'utf8')
        .split('\n')
        .filter((line) => line !== '');
      if (lines.length > 2 * HISTORY_LINES)
        writeFileSync(this.historyPath, `${lines.slice(-HISTORY_LINES).join('\n')}\n`);
      return lines.slice(-HISTORY_LINES).toReversed();
    } catch {
      return [];
    }
  }

  private remember(statement: string): void {
    try {
      const fresh = !existsSync(this.historyPath);
      appendFileSync(this.historyPath, `${statement.replaceAll(/\s*\n\s*/g, ' ')};\n`, { mode: 0o600 });
      if (fresh) chmodSync(this.historyPath, 0o600);
    } catch {
      // A home that can't be written to is no reason to refuse queries.
    }
  }
}
