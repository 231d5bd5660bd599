/** The server process: read the configuration, start, serve until told to stop, stop in order. */

import { setFlagsFromString } from 'node:v8';
import { pino } from 'pino';
import { collectAtRest, messageOf } from '@glasshouse/model';
import { startApp } from './app.ts';
import { environment, readConfig } from './config.ts';

// Bodies arrive in buffers outside of V8's heap. By default every 64 MiB of them start a full collection of the heap, which
// has nothing to do with them; counted into the heap's own limit, they go with the cheap collections of young objects.
setFlagsFromString('--external-memory-accounted-in-global-limit');

const config = readConfig(environment());
const log = pino({ level: config.logLevel, name: 'glasshouse' });

try {
  const app = await startApp(config, log);
  const listeners = app.listeners.map(({ name, port }) => ({ name, port }));
  log.info({ listeners }, 'ready');
  process.send?.({ kind: 'ready', listeners, skipped: app.skipped });
  collectAtRest();
  const stop = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'stopping');
    app.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'cannot stop in order');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
} catch (error) {
  log.fatal({ err: error }, messageOf(error));
  process.exit(1);
}
