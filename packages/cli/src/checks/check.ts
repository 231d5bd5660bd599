/** One thing that doctor looked at: what it found, and what to do about it. */

export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'warn' | 'fail';
  /** What was found. */
  readonly detail: string;
  /** What to do; for all but `ok`. */
  readonly fix?: string;
}

export function ok(name: string, detail: string): Check {
  return { name, state: 'ok', detail };
}

export function warn(name: string, detail: string, fix: string): Check {
  return { name, state: 'warn', detail, fix };
}

export function fail(name: string, detail: string, fix: string): Check {
  return { name, state: 'fail', detail, fix };
}
