/* tests/e2e/address.test.mjs - where clients come from: addresses of loopback, of which IPv4 has millions. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { freePort } from './server.mjs';
import { RawClient, handshake, request } from './raw.mjs';
import { atEnd, connect, connectMany, leave, serverTest, until, untilCounters } from './support.mjs';
import { tlsTest } from './tls.mjs';

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

/* --- the PROXY protocol ------------------------------------------------------------------------------------------- */

const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/* A header of v2: for TCP over IPv4 unless `command` says that the proxy speaks for itself. */
function v2({ command = 0x21, from = '192.0.2.7', port = 49152, tlvs = Buffer.alloc(0) } = {}) {
  const addresses = Buffer.from([...from.split('.').map(Number), 10, 0, 0, 1, port >> 8, port & 0xff, 1, 0xbb]);
  const length = addresses.length + tlvs.length;
  return Buffer.concat([V2, Buffer.from([command, 0x11, length >> 8, length & 0xff]), addresses, tlvs]);
}

/* A proxy that sends this header, in pieces of so many bytes, and then what its client and the server say. */
async function proxyTo(server, header, piece = 1000) {
  const bytes = Buffer.from(header);
  const proxy = net.createServer(async (client) => {
    const socket = net.connect({ port: server.port, host: '127.0.0.1', noDelay: true });
    for (const end of [client, socket]) end.on('error', () => {});
    atEnd(() => socket.destroy());
    for (let at = 0; at < bytes.length; at += piece) {
      socket.write(bytes.subarray(at, at + piece));
      await new Promise(setImmediate);
    }
    client.pipe(socket).pipe(client);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  atEnd(() => proxy.close());
  const { port } = proxy.address();
  return { port, url: `${new URL(server.url).protocol}//127.0.0.1:${port}`, ca: server.ca };
}

const HEADERS = [
  ['PROXY TCP4 192.0.2.7 10.0.0.1 49152 443\r\n', '192.0.2.7:49152'],
  ['PROXY TCP6 2001:db8::7 2001:db8::1 5 443\r\n', '[2001:db8::7]:5'],
  ['PROXY UNKNOWN\r\n', '127.0.0.1:'],
  [v2(), '192.0.2.7:49152'],
  [v2({ from: '198.51.100.1', port: 80, tlvs: Buffer.alloc(60_000, 4) }), '198.51.100.1:80'],
  [v2({ command: 0x20 }), '127.0.0.1:'],
];

/* Chats through a proxy for each header; the log has where the client comes from. */
async function chatThroughProxies(server) {
  for (const [header, address] of HEADERS) {
    for (const piece of [7, 100_000]) {
      const proxy = await proxyTo(server, header, piece);
      const before = server.stderr().length;
      await until(async () => {    /* of many the log leaves some out */
        const clients = await connectMany(proxy, 2);
        clients[0].send('hello');
        assert.equal(await clients[1].inbox.next(), 'hello');
        await leave(...clients);
        return server.stderr().slice(before).includes(` comes from ${address}`);
      }, address, { poll: 300 });
    }
  }
}

const PROXIED = ['--proxy-protocol', '--log-level', 'debug'];
serverTest('a header of the PROXY protocol says where a client comes from', PROXIED, chatThroughProxies);
tlsTest('TLS comes behind the header', { shards: [2], args: PROXIED }, (server, secure) => chatThroughProxies(secure));

serverTest('who begins without a good header is refused', ['--proxy-protocol'], async (server) => {
  const bad = [
    request('GET /up HTTP/1.1'), '\x16\x03\x01', 'PROXY TCP4 192.0.2.7 10.0.0.1 49152\r\n', V2.subarray(0, 11) + '\r',
    v2({ command: 0x2f }), `PROXY UNKNOWN ${'x'.repeat(200)}`,
  ];
  for (const bytes of bad) {
    const client = await RawClient.connect(server);
    client.write(bytes);
    const answer = await client.answer();
    assert.equal(answer.status, 400);
    assert.match(answer.body, /^Connections begin with a header of the PROXY protocol here \(--proxy-protocol\): let /);
  }
  assert.match(server.stderr(), /a connection from 127\.0\.0\.1:\d+ has no good PROXY header/);
  const silent = await RawClient.connect(server);
  silent.write('PROXY TCP4 192.0');
  silent.end();
  await silent.ended();
  const good = await RawClient.connect(server);
  good.write(Buffer.concat([v2(), handshake()]));
  assert.equal((await good.answer()).status, 101);
  await untilCounters(server, (now) => now.closed_bad_proxy === bad.length && now.closed_peer_gone === 1, 'the ends');
});

tlsTest('who begins with TLS where a header has to come is closed', { shards: [1], args: ['--proxy-protocol'] },
  async (server, secure) => {
    const client = await RawClient.connect(secure);
    client.write('\x16\x03\x01\x02\x00');
    await client.gone();
    await untilCounters(server, (now) => now.closed_bad_proxy === 1, 'its end');
  });

const BOTH = ['--proxy-protocol', '--trusted-proxies', '127.0.0.70', '--trusted-proxies', '10.0.0.0/8', '--log-level',
  'debug'];
serverTest('only trusted proxies may send a header, and what a trusted one is the header of may forward', BOTH,
  async (server) => {
    const stranger = await RawClient.connect(server);
    stranger.write(v2());
    assert.equal((await stranger.answer()).status, 400);
    const proxy = await RawClient.connect(server, { localAddress: '127.0.0.70' });
    const forwarded = request('GET /up HTTP/1.1', { 'X-Forwarded-For': '203.0.113.5', 'Connection': 'close' });
    proxy.write(Buffer.concat([v2({ from: '10.9.9.9' }), Buffer.from(forwarded)]));
    assert.equal((await proxy.answer()).status, 200);
    await until(() => server.stderr().includes(' is of 203.0.113.5, as its proxy says'), 'the client in the log');
  });
