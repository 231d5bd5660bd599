import { it } from 'vitest';
import { startServer } from './support/server.ts';
import { sendEverything } from './support/javascript.ts';
it('probe', async () => {
  const server = await startServer();
  try {
    for (const protocol of ['proto','json','grpc'] as const) {
    const sent = await sendEverything('js', { protocol, compression: 'none', base: `http://127.0.0.1:${protocol === 'grpc' ? server.ports.otlpGrpc : server.ports.otlpHttp}` });
    console.log(sent.outcomes);
    }
    const rows = await server.rows(`SELECT * FROM spans WHERE name = 'GET /orders/{id}'`, 3);
    console.log(JSON.stringify(rows, (k,v)=> typeof v === 'bigint' ? `${v}n` : v, 1));
    for (const t of ['logs','metrics_sum','metrics_gauge','metrics_histogram','metrics_exponential_histogram']) console.log(t, JSON.stringify(await server.sql(`SELECT * FROM ${t} ORDER BY timestamp`), (k,v)=> typeof v === 'bigint' ? `${v}n` : v, 1));
  } finally { console.log(server.logs()); await server.stop(); }
});
