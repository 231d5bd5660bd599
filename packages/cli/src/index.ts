/** What tests and tools may use of the command line without starting a process. */

export { main } from './main.ts';
export type { Context } from './command.ts';
