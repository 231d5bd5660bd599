/**
 * What other packages may know of the server: its settings. The server itself is started as a process (main.ts), never
 * imported.
 */

export { readConfig, SETTINGS } from './config.ts';
export type { Config } from './config.ts';
export type { Setting } from './setting.ts';
