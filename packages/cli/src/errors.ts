/**
 * What ends a command with something other than success. The exit codes are a promise to scripts, so they are declared here
 * once and every error knows its own.
 */

import { AppError } from '@glasshouse/model';

export const EXIT_CODES = { ok: 0, failed: 1, usage: 2, unreachable: 3, declined: 3 } as const;

/** As `--help` explains the exit codes. */
export const EXIT_CODE_HELP =
  '0 done, 1 failed, 2 wrong usage or configuration, 3 not begun: the server is not reachable, or you said no';

/** The command line or the configuration is wrong: exit code 2. `hint` says where to read how it is right. */
export class UsageError extends AppError {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string, cause?: unknown) {
    super('bad_request', message, { cause });
    this.name = 'UsageError';
    this.hint = hint;
  }
}

/** There is no server to talk to: exit code 3. */
export class UnreachableError extends AppError {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string, cause?: unknown) {
    super('unavailable', message, { cause });
    this.name = 'UnreachableError';
    this.hint = hint;
  }
}

/** A failure for which a command has an exit code of its own, which its help page says. */
export class OwnExitError extends AppError {
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(exitCode: number, cause: AppError) {
    super(cause.code, cause.message, { cause });
    this.name = 'OwnExitError';
    this.exitCode = exitCode;
    this.hint = hintOf(cause);
  }
}

/** The exit code of anything thrown. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof OwnExitError) return error.exitCode;
  if (error instanceof UsageError) return EXIT_CODES.usage;
  if (error instanceof UnreachableError) return EXIT_CODES.unreachable;
  return EXIT_CODES.failed;
}

/** What the user can do about an error, if it knows. */
export function hintOf(error: unknown): string | undefined {
  if (error instanceof UsageError || error instanceof UnreachableError || error instanceof OwnExitError)
    return error.hint;
  if (error instanceof AppError && error.code === 'unauthenticated')
    return 'give an API key or the admin token with --token';
  return undefined;
}
