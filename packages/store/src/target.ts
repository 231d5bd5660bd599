/**
 * Which ClickHouse the store talks to: the embedded engine, a server, or a cluster. Everything that differs between them is
 * a property here, so the rest of the store never asks which one it is.
 */

import type { Agent } from 'node:http';
import type { Engine } from '@glasshouse/engine';
import { AppError, nodeHttp } from '@glasshouse/model';
import { FACT_DATABASE } from '@glasshouse/schema';

export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface Target {
  readonly url: string;
  readonly writer: Login;
  /** Runs users' queries: with the embedded engine a user that may only read. */
  readonly reader: Login;
  /**
   * Makes what connects through a socket instead of the URL's host. Each client needs its own: it closes idle connections by
   * its own clock, and would close one in the middle of another client's query.
   */
  readonly makeAgent: (() => Agent) | undefined;
  /** Database of the fact tables. */
  readonly database: string;
  /** Name of the cluster for `ON CLUSTER`, if the tables are replicated and distributed. */
  readonly cluster: string | undefined;
  /** True if the engine can read a segment by its path, so that only the path has to be sent. */
  readonly readsPaths: boolean;
  /** General compression of the facts; the embedded engine's configuration chooses it by the size of a part. */
  readonly compression: string;
  /**
   * True if it is ClickHouse 26.7 or newer for sure, in which merges make projections that their parts lack, and the keys of maps
   * are subcolumns. A server may be older.
   */
  readonly isCurrent: boolean;
}

export function embeddedTarget(engine: Engine): Target {
  return {
    url: engine.url,
    writer: engine.credentials.writer,
    reader: engine.credentials.reader,
    makeAgent: () =>
      new nodeHttp.Agent({ keepAlive: true, socketPath: engine.socketPath } as ConstructorParameters<
        typeof nodeHttp.Agent
      >[0]),
    database: FACT_DATABASE,
    cluster: undefined,
    readsPaths: true,
    compression: 'Default',
    isCurrent: true,
  };
}

/** Reads `https://user:password@host:8443/database`. */
export function remoteTarget(storeUrl: string, cluster: string | undefined): Target {
  let url: URL;
  try {
    url = new URL(storeUrl);
  } catch (cause) {
    throw new AppError(
      'bad_request',
      'cannot read GLASSHOUSE_STORE_URL: it is not a URL such as https://user:password@host:8443/glasshouse',
      { cause },
    );
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new AppError(
      'bad_request',
      `cannot use GLASSHOUSE_STORE_URL with ${url.protocol}: give the HTTP interface, http: or https:`,
    );
  }
  const login = { user: decodeURIComponent(url.username) || 'default', password: decodeURIComponent(url.password) };
  return {
    url: url.origin,
    writer: login,
    reader: login,
    makeAgent: undefined,
    database: url.pathname.replace(/^\/|\/$/g, '') || FACT_DATABASE,
    cluster,
    readsPaths: false,
    compression: 'ZSTD(1)',
    isCurrent: false,
  };
}
