/* tests/e2e/address.test.mjs - where clients come from: addresses of loopback, of which IPv4 has millions. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { freePort } from './server.mjs';
import { RawClient, handshake, request } from './raw.mjs';
import { atEnd, connect, connectMany, leave, refusal, serverTest, until, untilCounters } from './support.mjs';
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
    for (const end of [client, socket]) {
      end.on('error', () => {});
      atEnd(() => end.destroy());
    }
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

/* PP2_TYPE_SSL, with this byte of flags. */
const ssl = (flags) => Buffer.from([0x20, 0, 5, flags, 0, 0, 0, 0]);

/* The status of the chat page behind this header, from there: 403 without TLS if the app is tls_only. */
async function pageBehind(server, header, { headers = {}, localAddress = '127.0.0.70' } = {}) {
  const client = await RawClient.connect(server, { localAddress });
  client.write(header);
  client.write(request('GET / HTTP/1.1', { ...headers, Connection: 'close' }));
  return (await client.answer()).status;
}

const HTTPS = { headers: { 'X-Forwarded-Proto': 'https' } };
const ENDED_TLS = ['--app', 'id:key:secret tls_only=yes', '--proxy-protocol', '--trusted-proxies', '127.0.0.70',
  '--trusted-proxies', '10.0.0.0/8'];
serverTest('a proxy that sends a header says of TLS what it ended, in that or in X-Forwarded-Proto', ENDED_TLS,
  async (server) => {
    const line = 'PROXY TCP4 192.0.2.7 10.0.0.1 49152 443\r\n';
    assert.equal(await pageBehind(server, line), 403);
    assert.equal(await pageBehind(server, line, HTTPS), 200);
    assert.equal(await pageBehind(server, v2(), HTTPS), 200);
    assert.equal(await pageBehind(server, v2({ command: 0x20 }), HTTPS), 200);
    assert.equal(await pageBehind(server, v2({ tlvs: ssl(1) })), 200);
    assert.equal(await pageBehind(server, v2({ tlvs: Buffer.concat([Buffer.from([4, 0, 1, 0]), ssl(7)]) })), 200);
    assert.equal(await pageBehind(server, v2({ tlvs: ssl(0) })), 403);
    assert.equal(await pageBehind(server, v2({ tlvs: ssl(6) }), HTTPS), 403);   /* the client writes it itself */
    assert.equal(await pageBehind(server, v2({ from: '10.9.9.9', tlvs: ssl(0) }), HTTPS), 200);
    assert.equal(await pageBehind(server, v2({ tlvs: Buffer.from([0x20, 0, 9, 1]) })), 400);
    assert.equal(await pageBehind(server, v2({ tlvs: ssl(1) }), { localAddress: '127.0.0.71' }), 400);
  });

const OPEN = ['--app', 'id:key:secret tls_only=yes', '--proxy-protocol'];
serverTest('without trusted proxies any header says of TLS what it ended', OPEN, async (server) => {
  assert.equal(await pageBehind(server, v2({ tlvs: ssl(1) })), 200);
  assert.equal(await pageBehind(server, v2({ tlvs: ssl(0) }), HTTPS), 403);
  assert.equal(await pageBehind(server, v2(), HTTPS), 200);
  assert.equal(await pageBehind(server, v2()), 403);
});

/* --- limits ------------------------------------------------------------------------------------------------------- */

const LIMITED = ['--listen', `[::]:${both}`, '--address-connections-max', '3', '--address-allow', '127.0.0.13'];

/* So many WebSockets from there, of which the next is one too many. */
async function fill(server, options, count = 3) {
  const clients = await connectMany(server, count, '/', options);
  const { status, headers } = await refusal(server, '/', options);
  assert.equal(status, 429);
  assert.equal(headers['retry-after'], '1');
  return clients;
}

serverTest('an address has as many connections as it may, over all shards', ['--shards', '4', ...LIMITED],
  async (server) => {
    const clients = await fill(server, { localAddress: '127.0.0.11' });
    await fill(server, { localAddress: '127.0.0.12' });
    await connectMany(server, 9, '/', { localAddress: '127.0.0.13' });
    const answers = [];
    for (let i = 0; i < 4; i++) {
      const client = await from('::1');
      client.write(handshake());
      answers.push((await client.answer()).status);
    }
    assert.deepEqual(answers, [101, 101, 101, 429]);
    assert.match(server.stderr(), /warn .* a connection from 127\.0\.0\.11:\d+ is refused: its address has as many/);
    await leave(clients.pop());
    await until(() => connect(server, '/', { localAddress: '127.0.0.11' }).then(() => true, () => false), 'a place');
    await untilCounters(server, (now) => now.closed_address_full >= 3, 'the refusals');
  });

tlsTest('over TLS who is one too many is closed', { shards: [2], args: ['--address-connections-max', '3'] },
  async (server, secure) => {
    const clients = await connectMany(secure, 3);
    const more = await RawClient.connect(secure);
    await more.gone();
    clients[0].send('hello');
    assert.equal(await clients[1].inbox.next(), 'hello');
    await untilCounters(server, (now) => now.closed_address_full === 1, 'its end');
  });

serverTest('behind a header of the PROXY protocol its address counts', ['--proxy-protocol', ...LIMITED],
  async (server) => {
    await fill(await proxyTo(server, v2()), {});
    await fill(await proxyTo(server, v2({ from: '192.0.2.8' })), {});
    await fill(await proxyTo(server, 'PROXY TCP6 2001:db8::1 ::1 1 2\r\n'), {}, 3);
    const near = await proxyTo(server, 'PROXY TCP6 2001:db8::ffff:1 ::1 1 2\r\n');
    assert.equal((await refusal(near, '/')).status, 429);
  });

serverTest('behind a trusted proxy each WebSocket counts for the client it names',
  ['--trusted-proxies', '127.0.0.70', ...LIMITED], async (server) => {
    const by = (client) => ({ localAddress: '127.0.0.70', headers: { 'X-Forwarded-For': client } });
    const clients = await fill(server, by('192.0.2.1'));
    await fill(server, by('192.0.2.2'));
    await connectMany(server, 5, '/', { localAddress: '127.0.0.70' });
    await leave(...clients);
    await until(() => connect(server, '/', by('192.0.2.1')).then(() => true, () => false), 'a place');
  });

serverTest('an address whose requests fail is kept out, and others are not', ['--address-failures-per-second', '1'],
  async (server) => {
    const path = '/app/nobodys?protocol=7';
    const fails = async () => {
      const client = await RawClient.connect(server, { localAddress: '127.0.0.21' });
      client.write(handshake(path));
      const { status } = await client.answer();
      client.end();
      await client.gone();
      return status;
    };
    await until(async () => (await fails()) === 429, 'the address to be kept out', { poll: 0 });
    await leave(await connect(server, '/', { localAddress: '127.0.0.22' }));
    const again = () => connect(server, '/', { localAddress: '127.0.0.21' }).then(() => true, () => false);
    await until(again, 'it to be let in');
    await untilCounters(server, (now) => now.closed_address_fails > 0 && now.closed_no_app > 0, 'the counters');
  });
