/**
 * What follows the columns of a CREATE TABLE: ENGINE, PARTITION BY, PRIMARY KEY, ORDER BY, TTL, SETTINGS, in any order. Old
 * data files have the same clauses as lines, so they are read here too.
 */

import { takeExpression } from './expression.ts';
import { takeEngineName, takePart, type EngineDraft } from './engine.ts';
import type { Report } from './notice.ts';
import type { Cursor } from './source.ts';
import { proseOfString } from './text.ts';

export type Clause =
  'ENGINE' | 'PARTITION BY' | 'PRIMARY KEY' | 'ORDER BY' | 'SAMPLE BY' | 'TTL' | 'SETTINGS' | 'COMMENT';

const CLAUSES: readonly Clause[] = [
  'ENGINE',
  'PARTITION BY',
  'PRIMARY KEY',
  'ORDER BY',
  'SAMPLE BY',
  'TTL',
  'SETTINGS',
  'COMMENT',
];

/** The clause that begins here. */
function clauseAt(cursor: Cursor): Clause | undefined {
  return CLAUSES.find((clause) => cursor.atWords(...clause.split(' ')));
}

/**
 * Takes clauses up to the end, or to something that is none. Returns what COMMENT says. Throws Fault.
 */
export function takeClauses(cursor: Cursor, draft: EngineDraft, report: Report): string | undefined {
  let comment: string | undefined;
  for (let clause = clauseAt(cursor); clause !== undefined; clause = clauseAt(cursor)) {
    const place = cursor.place();
    cursor.skip(clause.split(' ').length);
    switch (clause) {
      case 'ENGINE':
        takeEngineName(cursor, draft);
        break;
      case 'PARTITION BY':
        takePart(cursor, draft, 'partitionKey', atClause);
        break;
      case 'PRIMARY KEY':
        takePart(cursor, draft, 'primaryKey', atClause);
        break;
      case 'ORDER BY':
        takePart(cursor, draft, 'sortingKey', atClause);
        break;
      case 'SAMPLE BY':
        takeExpression(cursor, { what: 'SAMPLE BY', commas: true, stop: atClause });
        report.warn(place, 'A sampling key is not kept, and SAMPLE is not available.', 'take it away');
        break;
      case 'TTL':
        takePart(cursor, draft, 'ttl', atClause);
        break;
      case 'SETTINGS':
        takePart(cursor, draft, 'settings', atClause);
        break;
      case 'COMMENT': {
        const text = cursor.peek();
        if (text?.kind !== 'string')
          throw cursor.fault(`cannot read COMMENT: ${cursor.sight} is no string`, "write 'text'");
        comment = proseOfString(cursor.take());
        break;
      }
    }
  }
  return comment;
}

/** Whether an expression ends here because the next clause begins. */
export function atClause(cursor: Cursor, first: boolean): boolean {
  return !first && clauseAt(cursor) !== undefined;
}
