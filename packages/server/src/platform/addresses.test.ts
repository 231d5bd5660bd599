import { describe, expect, it } from 'vitest';
import { isPublicAddress } from './addresses.ts';

describe('an address', () => {
  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '93.184.216.34',
    '172.15.0.1',
    '172.32.0.1',
    '100.63.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001::1',
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    ['this host', '0.0.0.0'],
    ['loopback', '127.0.0.1'],
    ['loopback, another', '127.9.9.9'],
    ['private', '10.1.2.3'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.0.1'],
    ['of a carrier', '100.64.0.1'],
    ['a metadata service within it', '100.100.100.200'],
    ['of the link', '169.254.0.1'],
    ['a metadata service', '169.254.169.254'],
    ['a metadata service on a public address', '168.63.129.16'],
    ['a metadata service', '192.0.0.192'],
    ['for documents', '192.0.2.1'],
    ['for benchmarks', '198.18.0.1'],
    ['a group', '224.0.0.1'],
    ['reserved', '250.0.0.1'],
    ['everybody', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['mapped', '::ffff:127.0.0.1'],
    ['mapped, public inside', '::ffff:8.8.8.8'],
    ['mapped, in hex', '::ffff:7f00:1'],
    ['compatible', '::127.0.0.1'],
    ['translated', '64:ff9b::7f00:1'],
    ['translated locally', '64:ff9b:1::1'],
    ['6to4', '2002:7f00:1::'],
    ['Teredo', '2001:0:53aa:64c::1'],
    ['of the link', 'fe80::1'],
    ['of the link, with a zone', 'fe80::1%eth0'],
    ['public with a zone', '2606:4700::1%eth0'],
    ['of the site', 'fec0::1'],
    ['unique and local', 'fd00:ec2::254'],
    ['a group', 'ff02::1'],
    ['for documents', '2001:db8::1'],
    ['no address', 'localhost'],
    ['no address', ''],
    ['an old notation', '127.1'],
    ['an old notation', '0x7f000001'],
  ])('%s is not public: %s', (_, address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});
