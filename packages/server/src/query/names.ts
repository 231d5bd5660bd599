/** Names of databases that a tenant meets, for rooms that shape answers and don't speak to the store. */

export { SHARED_DATABASE, tenantDatabase } from '@glasshouse/store';
