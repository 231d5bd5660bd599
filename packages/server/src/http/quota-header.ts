/** The header that says that a quota is nearly used up, the same for every protocol over HTTP. */

export const QUOTA_HEADER = 'X-Glasshouse-Quota-Warning';
