/* tests/e2e/address.test.mjs - where clients come from: addresses of loopback, of which IPv4 has millions. */

import assert from 'node:assert/strict';
import { freePort } from './server.mjs';
import { RawClient, handshake, request } from './raw.mjs';
import { atEnd, connect, leave, serverTest, until } from './support.mjs';

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

/* --- proxies ------------------------------------------------------------------------------------------------------ */

/* Who the log says has sent a request, by this header, from that address. */
async function saidBy(server, address, header) {
  const client = await from(address);
  const before = server.stderr().length;
  client.write(request('GET /up HTTP/1.1', { 'X-Forwarded-For': header }));
  assert.equal((await client.answer()).status, 200);
  client.write(request('GET /up HTTP/1.1', { Connection: 'close' }));
  await client.answer();
  await client.ended();
  await until(() => / ended: /.test(server.stderr().slice(before)), 'the end of the connection in the log');
  return / is of (\S+), as its proxy says/.exec(server.stderr().slice(before))?.[1];
}

const TRUSTING = ['--log-level', 'debug', '--listen', `[::]:${both}`, '--trusted-proxies', '127.0.0.64/26',
  '--trusted-proxies', '10.0.0.0/8'];

serverTest('X-Forwarded-For counts when a trusted proxy sends it', TRUSTING, async (server) => {
  assert.equal(await saidBy(server, '127.0.0.70', '203.0.113.5, 192.0.2.1, 10.1.1.1'), '192.0.2.1');
  assert.equal(await saidBy(server, '127.0.0.70', ['2001:db8::1', '10.2.2.2']), '2001:db8::1');
  assert.equal(await saidBy(server, '127.0.0.70', 'unknown'), undefined);
  assert.equal(await saidBy(server, '127.0.0.1', '192.0.2.1'), undefined);
  assert.equal(await saidBy(server, '::1', '192.0.2.1'), undefined);
});

const TLS_ONLY = ['--app', 'id:key:secret tls_only=yes', '--trusted-proxies', '127.0.0.70'];
serverTest('with trusted proxies only they are believed X-Forwarded-Proto', TLS_ONLY, async (server) => {
  const headers = { 'X-Forwarded-Proto': 'https' };
  const client = await connect(server, '/', { headers, localAddress: '127.0.0.70' });
  await leave(client);
  const other = await connect(server, '/', { headers, localAddress: '127.0.0.71' });
  assert.equal((await other.ended).code, 4000);
});
