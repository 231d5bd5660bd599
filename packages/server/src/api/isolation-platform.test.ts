/**
 * The list of attacks on the data platform (testing/attacks) against a whole server. Of every answer the status, the headers and the
 * body are searched for what only the victim has, and for rows that the credential must not see; at the end the victim has what
 * it had, and the attacker has nothing of it.
 *
 * Must stay true: every attack of the list is sent, and a step that begins a job is waited for and its outcome searched too.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attack, Step } from './testing/attacks/attack.ts';
import { HIDDEN, NARROW, PRIVATE, SECRET } from './testing/attacks/attack.ts';
import { countBySurface, LEAST, listAttacks } from './testing/attacks/list.ts';
import type { Reply, Scene } from './testing/attacks/scene.ts';
import { ATTACKER, openScene } from './testing/attacks/scene.ts';

const AT_ONCE = 6;
const JOB_MS = 30_000;

let scene: Scene;
let before: string;
let files: readonly string[];

beforeAll(async () => {
  scene = await openScene();
  before = await scene.possessions();
  files = exported();
}, 300_000);

afterAll(() => (scene as Scene | undefined)?.close());

it('has hundreds of attacks, on every surface', ({ annotate }) => {
  const attacks = all();
  const counts = countBySurface(attacks);
  void annotate([...counts].map(([surface, count]) => `${surface}: ${count}`).join(', '));
  expect(attacks.length).toBeGreaterThanOrEqual(300);
  for (const [surface, least] of Object.entries(LEAST))
    expect([surface, (counts.get(surface) ?? 0) >= least]).toEqual([surface, true]);
  expect([...counts.keys()].filter((surface) => LEAST[surface] === undefined)).toEqual([]);
});

describe.each(Object.keys(LEAST))('%s', (surface) => {
  it('leaks nothing', async () => {
    const pending = all().filter((attack) => attack.surface === surface);
    const failures: string[] = [];
    const work = async (): Promise<void> => {
      for (let attack = pending.pop(); attack !== undefined; attack = pending.pop())
        failures.push(...(await attempt(attack)));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    expect(failures).toEqual([]);
  }, 300_000);
});

describe('after all attacks', () => {
  it('the victim has what it had', async () => {
    expect(await scene.possessions()).toBe(before);
  });

  it('the attacker has nothing of the victim', async () => {
    expect((await scene.plunder()).includes(SECRET)).toBe(false);
  });

  it('no file was written but in the folder of the attacker', () => {
    const others = exported();
    expect(others).toEqual(files);
    expect(own().filter((text) => text.includes(SECRET))).toEqual([]);
  });

  it('nothing asked what answers on this machine only', () => {
    expect(scene.reached).toEqual([]);
  });

  it('the server was never at a loss', () => {
    expect(scene.server.faults).toEqual([]);
  });
});

function all(): readonly Attack[] {
  return listAttacks(scene.attacker, scene.victim, Math.floor(Date.now() / 1000)).slice();
}

/** Sends the steps; answers with what went wrong. */
async function attempt({ steps, must }: Attack): Promise<string[]> {
  const failures: string[] = [];
  let said = '';
  let refused = false;
  for (const step of steps) {
    said += `${step.request} ${decoded(step.request)} ${JSON.stringify(step.headers ?? {})} ${String(step.body ?? '')} ${decoded(String(step.body ?? ''))}\n`;
    const replies = await outcome(step);
    for (const reply of replies) {
      const leaks = leaksIn(reply, step, said);
      refused ||= reply.status >= 400 || hasFailed(reply);
      const isOurs = reply.status >= 500;
      if (leaks.length > 0 || isOurs || (must === 'works' && (reply.status >= 400 || hasFailed(reply))))
        failures.push(told(step, reply, leaks));
    }
  }
  if (must === 'refused' && !refused) failures.push(`not refused: ${said.slice(0, 1_000)}`);
  return failures;
}

function told({ request, as = 'none', body = '' }: Step, { status, text }: Reply, leaks: readonly string[]): string {
  return `${as} ${request} ${String(body).slice(0, 500)} → ${status} ${text.slice(0, 500)} [${leaks.join(', ')}]`;
}

/** The answer, and what became of the job that it tells of. */
async function outcome(step: Step): Promise<readonly Reply[]> {
  const reply = await scene.send(step);
  const job =
    reply.status === 200 && step.request.startsWith('POST ')
      ? /"job_id":\s*"([\w-]+)"/u.exec(reply.text)?.[1]
      : undefined;
  if (job === undefined) return [reply];
  for (const end = Date.now() + JOB_MS; ; await pause(20)) {
    const state = await scene.send({ request: `/v0/jobs/${job}`, as: 'admin' });
    if (!/"status":\s*"(?:waiting|working)"/u.test(state.text) || Date.now() > end) return [reply, state];
  }
}

function hasFailed({ text }: Reply): boolean {
  return /"status":\s*"(?:error|failed)"|"result":\s*"failed"/u.test(text);
}

/** What must not come back: never what only rows and statements of others hold, and names only if the request said them. */
function leaksIn({ headers, text }: Reply, { as = 'none', secret }: Step, said: string): string[] {
  const { victim } = scene;
  const answer = `${headers}\n${text}`;
  const isNarrow = NARROW.has(as) || secret !== undefined;
  const names = [
    victim.tenant,
    victim.source,
    victim.target,
    victim.pipe,
    victim.column,
    victim.sourceId,
    victim.pipeId,
    victim.workspace,
    victim.tokenId,
    victim.job,
    victim.sdkKey,
  ];
  const marks = [SECRET, ...(isNarrow ? [HIDDEN] : []), 'root:x:'];
  const unsaid = [...names, ...(isNarrow ? [PRIVATE] : [])];
  return [
    ...marks.filter((mark) => answer.includes(mark)),
    ...unsaid.filter((name) => answer.includes(name) && !said.includes(name)),
  ];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return '';
  }
}

function folder(): string {
  return join(scene.server.dataDir, 'exports');
}

/** Files of exports, but for those of the attacker, with their content; and what lies beside the folder. */
function exported(): readonly string[] {
  const found = readdirSync(folder(), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const others = found
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.startsWith(join(folder(), ATTACKER)) && !path.startsWith(join(folder(), '.spool')));
  return [
    ...others.map((path) => `${path} ${readFileSync(path, 'utf8')}`),
    // The server writes what was used from time to time.
    ...readdirSync(scene.server.dataDir).filter((name) => !name.startsWith('quota-use.json')),
  ].toSorted();
}

function own(): readonly string[] {
  const found = readdirSync(join(folder(), ATTACKER), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return found.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}
