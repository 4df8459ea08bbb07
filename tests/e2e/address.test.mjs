/* tests/e2e/address.test.mjs - where clients come from: addresses of loopback, of which IPv4 has millions. */

import assert from 'node:assert/strict';
import { freePort } from './server.mjs';
import { RawClient, handshake } from './raw.mjs';
import { atEnd, serverTest, until } from './support.mjs';

const both = await freePort();

/* A client from this address, to where IPv4 and IPv6 come in. */
async function from(address) {
  const client = await RawClient.connect({ port: both },
    { host: address.includes(':') ? '::1' : '127.0.0.1', localAddress: address });
  atEnd(() => client.destroy());
  return client;
}

serverTest('the log says where a connection comes from', ['--log-level', 'debug', '--listen', `[::]:${both}`],
  async (server) => {
    for (const address of ['127.0.0.7', '127.0.0.200', '::1']) {
      const client = await from(address);
      client.write(handshake('/'));
      assert.equal((await client.answer()).status, 101);
      const written = address.includes(':') ? `[${address}]` : address;
      const line = ` comes from ${written}:${client.socket.localPort}\n`;
      await until(() => server.stderr().includes(line), line);
    }
  });
