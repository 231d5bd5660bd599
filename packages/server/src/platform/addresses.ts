/**
 * Which addresses on the network a URL of a user may lead to: public ones. Whoever can have the server fetch something could
 * otherwise read what only the server reaches: its own machine, its neighbours, a cloud's metadata.
 *
 * Must stay true: what is not known to be public is refused. Addresses that carry another one inside (IPv4-mapped, 6to4,
 * NAT64, Teredo) are refused as such, whatever they carry.
 */

import { BlockList, isIP } from 'node:net';

/** IPv4 ranges that are not public (IANA's special-purpose registry, RFC 6890), and metadata services within public ones. */
const REFUSED_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  // Azure's.
  ['168.63.129.16', 32],
] as const;

/** Of IPv6 only global unicast is public, and of that not these. */
const GLOBAL_V6 = ['2000::', 3] as const;
const REFUSED_V6 = [
  // Protocol assignments, Teredo, benchmarking, ORCHID.
  ['2001::', 23],
  ['2001:db8::', 32],
  // 6to4.
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
] as const;

const refusedV4 = new BlockList();
for (const [net, prefix] of REFUSED_V4) refusedV4.addSubnet(net, prefix, 'ipv4');
const globalV6 = new BlockList();
globalV6.addSubnet(...GLOBAL_V6, 'ipv6');
const refusedV6 = new BlockList();
for (const [net, prefix] of REFUSED_V6) refusedV6.addSubnet(net, prefix, 'ipv6');

/** True for an address of the public internet; false for every other text. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !refusedV4.check(address, 'ipv4');
    case 6:
      // A zone belongs to a link.
      return !address.includes('%') && globalV6.check(address, 'ipv6') && !refusedV6.check(address, 'ipv6');
    default:
      return false;
  }
}
