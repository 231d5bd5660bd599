/**
 * What a reader of data files has to say: problems, which refuse the file, and warnings, which do not. Separate from the
 * parsers because each of them goes on after a problem, so that one deploy shows all that is to be mended.
 *
 * Must stay true: every notice says where it is, why, and what to do about it.
 */

import { AppError } from '@glasshouse/model';

/** A position in a file. Lines and columns count from 1, columns in UTF-16 units. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
}

/** A problem or a warning. */
export interface Notice extends Place {
  /** `cannot VERB WHAT=VALUE: WHY` for a problem, a sentence for a warning. */
  readonly message: string;
  /** What to write instead. */
  readonly hint: string;
}

/** The refusal of a data file, of a schema or of a DDL statement, with everything that was found. */
export class DataFileError extends AppError {
  /** At least one, in the order of the text. */
  readonly problems: readonly Notice[];

  constructor(file: string, problems: readonly Notice[]) {
    super('bad_request', summary(file, problems));
    this.name = 'DataFileError';
    this.problems = problems;
  }
}

/** One problem on its way to the report. It ends the smallest part that can be skipped: a column, a directive, a step. */
export class Fault extends Error {
  readonly place: Place;
  readonly hint: string;

  constructor(place: Place, message: string, hint: string) {
    super(message);
    this.name = 'Fault';
    this.place = place;
    this.hint = hint;
  }
}

/** A megabyte of anything has many problems; nobody reads more than these. */
const MAX_NOTICES = 500;

/** Gathers the notices of one file, and of the fragments in it. */
export class Report {
  readonly #file: string;
  readonly #problems: Notice[] = [];
  readonly #warnings: Notice[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  /** How many problems there are so far. */
  get count(): number {
    return this.#problems.length;
  }

  /** Whether no further problem would be kept, so that one may stop looking. */
  get full(): boolean {
    return this.#problems.length >= MAX_NOTICES;
  }

  /** In the order of the text. */
  get warnings(): readonly Notice[] {
    return inOrder(this.#warnings, this.#file);
  }

  problem(place: Place, message: string, hint: string): void {
    if (this.#problems.length < MAX_NOTICES) this.#problems.push({ ...place, message, hint });
  }

  warn(place: Place, message: string, hint: string): void {
    if (this.#warnings.length < MAX_NOTICES) this.#warnings.push({ ...place, message, hint });
  }

  /** Runs a part that may be at fault; undefined when it was. */
  attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.problem(error.place, error.message, error.hint);
      return undefined;
    }
  }

  /** Throws DataFileError if there was a problem. */
  settle(): void {
    if (this.#problems.length > 0) throw new DataFileError(this.#file, inOrder(this.#problems, this.#file));
  }
}

/** By position; those of fragments stay together, behind the file's own. */
function inOrder(notices: readonly Notice[], file: string): Notice[] {
  const files = [...new Set([file, ...notices.map((notice) => notice.file)])];
  return notices.toSorted(
    (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || (a.column ?? 0) - (b.column ?? 0),
  );
}

function summary(file: string, problems: readonly Notice[]): string {
  const [first] = problems;
  if (first === undefined) return `cannot read file=${file}`;
  const where = `${first.file === file ? '' : `${first.file} `}line ${first.line}`;
  const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`;
  return `cannot read file=${file}: ${where}: ${first.message}; ${first.hint}${more}`;
}
