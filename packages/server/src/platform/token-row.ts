/** A token as it is stored, in the table and in the copy for starts without the store. There is no secret in it. */

import { dateTime } from './rows.ts';
import type { TokenScope } from './scopes.ts';

export interface StoredToken {
  readonly tenant: string;
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly origin: string;
  /** Given by request. */
  readonly scopes: readonly TokenScope[];
  /** Granted by data files. */
  readonly granted: readonly TokenScope[];
  /** Counts the secrets that it had. */
  readonly generation: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly deleted: boolean;
  readonly version: number;
}

/** Times are milliseconds since 1970, as text, when they are read. */
export interface TokenRow {
  readonly tenant: string;
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly origin: string;
  readonly scopes: string;
  readonly granted: string;
  readonly generation: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly deleted: boolean;
  readonly version: string;
}

export function fromRow(row: TokenRow): StoredToken {
  const { tenant, id, name, description, origin, generation, deleted } = row;
  return {
    tenant,
    id,
    name,
    description,
    origin,
    scopes: JSON.parse(row.scopes) as TokenScope[],
    granted: JSON.parse(row.granted) as TokenScope[],
    generation,
    createdAt: new Date(Number(row.created_at)),
    updatedAt: new Date(Number(row.updated_at)),
    deleted,
    version: Number(row.version),
  };
}

export function toRow(token: StoredToken): TokenRow {
  const { tenant, id, name, description, origin, generation, deleted } = token;
  return {
    tenant,
    id,
    name,
    description,
    origin,
    scopes: JSON.stringify(token.scopes),
    granted: JSON.stringify(token.granted),
    generation,
    created_at: dateTime(token.createdAt),
    updated_at: dateTime(token.updatedAt),
    deleted,
    version: String(token.version),
  };
}
