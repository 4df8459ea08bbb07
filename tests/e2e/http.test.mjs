/* tests/e2e/http.test.mjs - HTTP/1.1 on the way to a WebSocket: what is answered with which status, spellings, requests
 * one behind the other, clients that close their half. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { APP, appArgs, Peer } from './channels.mjs';
import { connect, leave, serverTest } from './support.mjs';
import { ACCEPT, HANDSHAKE, handshake, KEY, ping, RawClient, request, text } from './raw.mjs';

/* Sends and returns the answer; the server must then close unless it may stay. */
async function ask(server, bytes, { head, stays = false } = {}) {
  const client = await RawClient.connect(server);
  client.write(bytes);
  const answer = await client.answer({ head });
  if (answer.status >= 200) {
    assert.match(answer.headers.date, /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
    assert.ok(Math.abs(Date.parse(answer.headers.date) - Date.now()) < 60_000, answer.headers.date);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  }
  if (!stays) assert.equal((await client.ended()).length, 0, 'nothing behind the answer');
  client.destroy();
  return answer;
}

const get = (path, headers) => request(`GET ${path} HTTP/1.1`, headers);

/* --- handshakes --------------------------------------------------------------------------------------------------- */

serverTest('the answer to a handshake is that of RFC 6455 1.3, and takes up nothing offered', [], async (server) => {
  const offers = {
    'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    'Sec-WebSocket-Protocol': 'chat, superchat',
  };
  const { line, headers } = await ask(server, handshake('/', offers), { stays: true });
  assert.match(line, /^HTTP\/1\.1 101 /);
  assert.deepEqual(headers, { 'upgrade': 'websocket', 'connection': 'Upgrade', 'sec-websocket-accept': ACCEPT });
});

serverTest('a handshake may be spelt in many ways', ['--shards', '2'], async (server) => {
  const watcher = await connect(server);
  const spellings = [
    handshake('/', { Connection: 'keep-alive, Upgrade' }),
    handshake('/', { Connection: 'keep-alive,upgrade' }),
    handshake('/', { Connection: ['keep-alive', 'UPGRADE'] }),
    handshake('/', { Connection: ' ,, Upgrade ,' }),
    handshake('/', { Upgrade: 'WebSocket' }),
    handshake('/', { Upgrade: 'h2c, WEBSOCKET' }),
    handshake('/?token=1&x=%20'),
    handshake('/', { Origin: 'null' }),
    handshake('/', { Cookie: 'x'.repeat(8000) }),
    handshake('/', { 'Content-Length': '0' }),
    handshake(`http://127.0.0.1:${server.port}/`),
    request('GET / HTTP/1.1', {
      'sec-websocket-VERSION': '  13\t', 'UPGRADE': 'websocket', 'cOnNeCtIoN': 'upgrade', 'SEC-WEBSOCKET-KEY': KEY,
    }),
    `GET / HTTP/1.1\r\nHost:x\r\nUpgrade:websocket\r\nConnection:Upgrade\r\nSec-WebSocket-Key:${KEY}\r\n`
      + 'Sec-WebSocket-Version:13\r\n\r\n',
    `\r\n${handshake()}`,
    handshake('/').toString().replace('HTTP/1.1', 'HTTP/1.2'),
  ];
  for (const [i, spelling] of spellings.entries()) {
    const client = await RawClient.connect(server);
    client.write(spelling);
    const answer = await client.answer();
    assert.deepEqual([answer.status, answer.headers['sec-websocket-accept']], [101, ACCEPT], spelling.toString());
    client.write(text(`${i}`));
    assert.equal(await watcher.inbox.next(), `${i}`);
    client.destroy();
  }
});

/* [status, request] */
const BAD_HANDSHAKES = [
  [400, handshake('/', { Connection: 'keep-alive' })],
  [400, handshake('/', { Connection: null })],
  [400, handshake('/', { Connection: 'Upgrades' })],
  [400, handshake('/', { 'Sec-WebSocket-Key': null })],
  [400, handshake('/', { 'Sec-WebSocket-Key': '' })],
  [400, handshake('/', { 'Sec-WebSocket-Key': 'dG9vIHNob3J0' })],
  [400, handshake('/', { 'Sec-WebSocket-Key': '*'.repeat(24) })],
  [400, handshake('/', { 'Sec-WebSocket-Key': [KEY, KEY] })],
  [400, handshake('/', { 'Sec-WebSocket-Version': ['13', '13'] })],
  [400, handshake('/', { Origin: ['http://a', 'http://b'] })],
  [400, handshake('/', { Host: null })],
  [400, handshake('/', { Host: ['a', 'b'] })],
  [426, handshake('/', { 'Sec-WebSocket-Version': null })],
  [426, handshake('/', { 'Sec-WebSocket-Version': '8' })],
  [426, handshake('/', { 'Sec-WebSocket-Version': '14' })],
  [426, handshake('/').toString().replace('HTTP/1.1', 'HTTP/1.0')],
  [405, handshake('/').toString().replace('GET', 'POST')],
  [404, handshake('/nowhere')],
  [404, handshake('/nowhere', { Upgrade: null })],
  [426, handshake('/', { Upgrade: null })],
  [426, handshake('/', { Upgrade: null, Connection: 'close' })],
  [426, handshake('/app/key', { Upgrade: null, Connection: null, 'Sec-WebSocket-Key': null })],
  [426, request('GET /proxy/app/key?protocol=7 HTTP/1.1')],
  [405, request('POST /app/key HTTP/1.1')],
  [404, handshake('/room')],
  [400, handshake('/room/a%2Fb')],
  [403, handshake('/room/private-x')],
];

serverTest('a bad handshake is refused with its status and a sentence', [], async (server) => {
  for (const [status, bytes] of BAD_HANDSHAKES) {
    const answer = await ask(server, bytes);
    assert.equal(answer.status, status, bytes.toString());
    assert.match(answer.headers['content-type'], /^text\/plain/);
    assert.equal(answer.headers.connection, status === 426 ? 'Upgrade' : 'close', bytes.toString());
    assert.match(answer.body, /^.{10,}\.?\n$/, 'a sentence');
    if (status === 426) {
      assert.equal(answer.headers['sec-websocket-version'], '13');
      if (!/^upgrade:/im.test(bytes)) assert.match(answer.body, /A proxy in front has to pass it on/);
    }
    if (status === 405) assert.equal(answer.headers.allow, 'GET');
  }
});

/* Rooms, the page and ringcast.js: [status of a WebSocket at /, of GET /, of /chat.js, of /ringcast.js]. */
for (const [args, wanted] of [
  [[], [101, 200, 200, 200]], [['--page=no'], [101, 404, 404, 200]], [['--rooms=no'], [404, 404, 404, 200]],
]) {
  serverTest(`rooms and page with ${args.join() || 'nothing said'}`, [...appArgs(), ...args], async (server) => {
    const statuses = [];
    for (const bytes of [handshake('/'), get('/'), get('/chat.js'), get('/ringcast.js')]) {
      statuses.push((await ask(server, bytes, { stays: true })).status);
    }
    assert.deepEqual(statuses, wanted);
    assert.equal((await ask(server, handshake('/room/tea'), { stays: true })).status, wanted[0]);
    assert.equal((await ask(server, get('/room/tea'), { stays: true })).status, wanted[1]);
    const peer = await Peer.open(server);
    await peer.subscribe('tea');
    peer.send('pusher:ringcast_publish', { channel: 'tea', data: 'hello', id: 'one' });
    const { event, data } = await peer.next();
    if (wanted[0] === 101) {
      assert.equal(event, 'pusher_internal:ringcast_ack', data);
    } else {
      assert.match(data, /there are no rooms here \(--rooms=no\)/);
    }
  });
}

const TLS_ONLY = ['--guests', '--app', `${APP.id}:${APP.key}:${APP.secret} tls_only=yes`];
serverTest('tls_only covers the rooms, guests and page of the first app', TLS_ONLY, async (server) => {
  const POST = { 'Content-Type': 'application/json', 'Content-Length': '2' };
  for (const [headers, page, guest] of [[{}, 403, 403], [{ 'X-Forwarded-Proto': 'HTTPS' }, 200, 200]]) {
    const stays = page === 200;
    for (const path of ['/', '/room/tea', '/chat.js']) {
      assert.equal((await ask(server, get(path, headers), { stays })).status, page, path);
    }
    const guests = `${request('POST /guests HTTP/1.1', { ...POST, ...headers })}{}`;
    assert.equal((await ask(server, guests, { stays: true })).status, guest);
    for (const path of ['/ringcast.js', '/up']) {
      assert.equal((await ask(server, get(path), { stays: true })).status, 200);
    }
    for (const path of ['/', '/room/tea', `/app/${APP.key}`]) {
      const client = await connect(server, path, { headers });
      if (stays) await leave(client);
      else assert.equal((await client.ended).code, 4000, path);
    }
  }
});

const OFF = ['--guests', '--app', `${APP.id}:${APP.key}:${APP.secret} enabled=no`];
serverTest('enabled=no covers the rooms, guests and page of the first app', OFF, async (server) => {
  for (const path of ['/', '/room/tea', '/chat.js']) {
    const { status, body } = await ask(server, get(path));
    assert.equal(status, 403, path);
    assert.match(body.toString(), /not enabled \(enabled=yes\)/);
  }
  const POST = { 'Content-Type': 'application/json', 'Content-Length': '2' };
  const { status, body } = await ask(server, `${request('POST /guests HTTP/1.1', POST)}{}`, { stays: true });
  assert.equal(status, 403);
  assert.match(body.toString(), /not enabled \(enabled=yes\)/);
  for (const path of ['/ringcast.js', '/up']) {
    assert.equal((await ask(server, get(path), { stays: true })).status, 200);
  }
  for (const path of ['/', '/room/tea', `/app/${APP.key}`]) {
    assert.equal((await (await connect(server, path)).ended).code, 4003, path);
  }
});

const SUBPROTOCOLS = [...appArgs(), '--subprotocol', 'chat.v2', '--subprotocol', 'chat.v1'];
serverTest('with --subprotocol, rooms agree to the first that is wanted, channels to none', SUBPROTOCOLS,
  async (server) => {
    for (const [protocol, path, offered] of [
      ['chat.v1', '/', 'chat.v1'], ['chat.v1', '/room/tea', 'mqtt, chat.v1, chat.v2'],
      ['chat.v2', '/', ['a', 'chat.v2']],
      [undefined, '/', 'mqtt'], [undefined, '/', null], [undefined, `/app/${APP.key}`, 'chat.v1'],
    ]) {
      const { status, headers } = await ask(server, handshake(path, { 'Sec-WebSocket-Protocol': offered }),
        { stays: true });
      assert.deepEqual([status, headers['sec-websocket-protocol']], [101, protocol], `${offered}`);
    }
    const client = await connect(server, '/', { protocols: ['mqtt', 'chat.v2'] });
    assert.equal(client.protocol, 'chat.v2');
    await leave(client);
  });

serverTest('with --subprotocol any, whichever comes first', ['--subprotocol', 'any'], async (server) => {
  const client = await connect(server, '/', { protocols: ['made-up', 'chat.v2'] });
  assert.equal(client.protocol, 'made-up');
  await leave(client);
});

const ORIGINS = ['--origin', 'https://example.com', '--origin', 'http://localhost:3000'];
serverTest('with --origin, only pages of these origins and clients without one get in', ORIGINS, async (server) => {
  const table = [
    [101, 'https://example.com'], [101, 'HTTPS://Example.COM'], [101, 'http://localhost:3000'], [101, null],
    [403, 'http://example.com'], [403, 'https://example.com:444'], [403, 'https://example.com.evil.org'],
    [403, 'https://evil.org/https://example.com'], [403, 'http://localhost'], [403, 'null'], [403, ''],
  ];
  for (const [status, origin] of table) {
    const answer = await ask(server, handshake('/', { Origin: origin }), { stays: status === 101 });
    assert.equal(answer.status, status, origin);
  }
  assert.equal((await ask(server, get('/', { Origin: 'http://evil.org' }), { stays: true })).status, 200);
});

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* [status, request] */
const BAD_REQUESTS = [
  [400, '\u0000'],
  [400, 'GET /\u0001 HTTP/1.1\r\nHost: x\r\n\r\n'],
  [400, 'GET / HTTP/1.1\r\nHost x\r\n\r\n'],
  [400, 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'],
  [400, 'GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n'],
  [400, 'GET / HTTP/1.1\r\n\r\n'],
  [400, 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
  [400, 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
  [400, '\u0017\u0003\u0003\u0000\u0001\u0000'],
  [404, get('/nowhere')],
  [404, get('/../etc/passwd')],
  [400, get('/room/caf%E9')],
  [403, get('/room/private-x')],
  [404, get('/room/')],
  [405, request('POST / HTTP/1.1')],
  [405, request('DELETE /room/tea HTTP/1.1')],
  [417, request('POST / HTTP/1.1', { Expect: 'miracles', 'Content-Length': '0' })],
  [431, get('/', { Cookie: 'x'.repeat(16 * 1024) })],
  [431, get(`/${'x'.repeat(17 * 1024)}`)],
  [431, get('/', { X: Array(101).fill('x') })],
  [501, 'hello\r\n\r\n'],
  [501, request('BREW / HTTP/1.1')],
  [505, 'GET / HTTP/2.0\r\nHost: x\r\n\r\n'],
  [400, get('/', { Host: 'a b' })],
  [400, get('/', { Host: 'a/b' })],
  [400, get('/', { Host: 'üx' })],
];

serverTest('a bad request is refused with its status', [], async (server) => {
  for (const [status, bytes] of BAD_REQUESTS) {
    const answer = await ask(server, Buffer.from(bytes, 'latin1'));
    assert.equal(answer.status, status, bytes.slice(0, 200));
    assert.equal(answer.headers.connection, 'close');
    if (status === 405) assert.equal(answer.headers.allow, 'GET, HEAD');
  }
});

/* [status, request with a body]; a body that is announced, whole, broken, too large or still to come. */
const LENGTH = { 'Content-Length': '5' };
const CHUNKED = { 'Transfer-Encoding': 'chunked' };
const BODIES = [
  [404, `${request('POST /nowhere HTTP/1.1', LENGTH)}hello`],
  [404, `${request('POST /nowhere HTTP/1.1', CHUNKED)}5\r\nhello\r\n0\r\n\r\n`],
  [404, `${request('POST /nowhere HTTP/1.1', CHUNKED)}not chunked`],
  [404, request('PUT /nowhere HTTP/1.1', { 'Content-Length': '99999999999' })],
  [404, `${request('POST /apps HTTP/1.1', LENGTH)}hello`],
  [404, `${request('POST /apps/none/events HTTP/1.1', LENGTH)}hello`],
  [403, `${request('POST /room/private-x HTTP/1.1', LENGTH)}hello`],
  [405, `${request('POST / HTTP/1.1', LENGTH)}hello`],
  [405, `${request('POST /room/tea HTTP/1.1', CHUNKED)}0\r\n\r\n`],
  [405, `${request('DELETE /ringcast.js HTTP/1.1', LENGTH)}hello`],
  [405, `${request('POST /up HTTP/1.1', LENGTH)}hello`],
  [405, `${request('POST /app/key HTTP/1.1', LENGTH)}hello`],
  [413, `${request('GET / HTTP/1.1', LENGTH)}hello`],
  [413, `${request('GET /up HTTP/1.1', LENGTH)}hello`],
  [413, `${request('OPTIONS * HTTP/1.1', LENGTH)}hello`],
  [426, `${request('GET /app/key HTTP/1.1', LENGTH)}hello`],
  [400, `${handshake('/', LENGTH)}hello`],
  [400, `${handshake('/', CHUNKED)}5\r\nhello\r\n0\r\n\r\n`],
  [400, `${handshake('/', CHUNKED)}not chunked`],
  [400, `${handshake('/app/key', { ...LENGTH, Expect: '100-continue' })}hello`],
  [404, `${handshake('/nowhere', LENGTH)}hello`],
];

serverTest('a body where none belongs gets one answer, however the request is cut', [], async (server) => {
  for (const [status, bytes] of BODIES) {
    const head = bytes.indexOf('\r\n\r\n') + 4;
    const answers = [];
    for (const cut of [bytes.length, head, head + 1, head - 1]) {
      const client = await RawClient.connect(server);
      client.write(bytes.slice(0, cut));
      if (cut < head) {
        await new Promise(setImmediate);
        client.write(bytes.slice(cut));
      }
      const answer = await client.answer();
      answers.push([answer.status, answer.body]);
      client.destroy();
    }
    for (const answer of answers) assert.deepEqual(answer, [status, answers[0][1]], bytes);
  }
});

serverTest('HEAD never gets a body, not even a refusal', [], async (server) => {
  for (const [status, line, headers] of [
    [200, 'HEAD / HTTP/1.1'], [200, 'HEAD /ringcast.js HTTP/1.1'], [200, 'HEAD /up HTTP/1.1'],
    [404, 'HEAD /nowhere HTTP/1.1'], [403, 'HEAD /room/private-x HTTP/1.1'], [405, 'HEAD /app/key HTTP/1.1'],
    [404, 'HEAD /apps/none/channels HTTP/1.1'], [413, 'HEAD / HTTP/1.1', LENGTH],
    [405, 'HEAD / HTTP/1.1', { ...HANDSHAKE }], [400, 'HEAD / HTTP/1.1', { Host: 'a b' }],
    [431, 'HEAD / HTTP/1.1', { Cookie: 'x'.repeat(16 * 1024) }], [405, 'HEAD /guests HTTP/1.1'],
    [501, 'HEAD / HTTP/1.1', { 'Transfer-Encoding': 'gzip' }],
  ]) {
    const client = await RawClient.connect(server, { allowHalfOpen: true });
    client.write(request(line, headers));
    client.end();
    const answer = await client.answer({ head: true });
    assert.equal(answer.status, status, line);
    assert.ok(Number(answer.headers['content-length']) > 0, line);
    assert.equal((await client.ended()).length, 0, line);
  }
});

serverTest('OPTIONS * asks of the server as a whole', [], async (server) => {
  const client = await RawClient.connect(server);
  client.write(request('OPTIONS * HTTP/1.1') + get('/up'));
  const { status, headers, body } = await client.answer();
  assert.deepEqual([status, headers['content-length'], body], [200, '0', '']);
  assert.equal(headers.allow, 'GET, HEAD, POST, OPTIONS');
  assert.equal((await client.answer()).body, 'OK\n');
  client.destroy();
  assert.equal((await ask(server, request('GET * HTTP/1.1'))).status, 404);
});

serverTest('--head-bytes-max is the exact limit', ['--head-bytes-max', '4KiB'], async (server) => {
  const padding = 4096 - get('/', { X: '' }).length;
  assert.equal((await ask(server, get('/', { X: 'x'.repeat(padding) }), { stays: true })).status, 200);
  assert.equal((await ask(server, get('/', { X: 'x'.repeat(padding + 1) }))).status, 431);
});

serverTest('an endless head is cut off, also when it comes slowly', ['--head-bytes-max', '1KiB'], async (server) => {
  const client = await RawClient.connect(server);
  await client.writeSlowly(`GET /${'x'.repeat(1100)}`);
  assert.equal((await client.answer()).status, 431);
  await client.ended();
});

serverTest('the page is answered to GET and HEAD, for as long as the client stays', [], async (server) => {
  const client = await RawClient.connect(server);
  client.write(get('/'));
  const page = await client.answer();
  assert.deepEqual([page.status, page.headers['content-type']], [200, 'text/html; charset=utf-8']);
  assert.match(page.body, /<html/);
  client.write(request('HEAD /room/tea HTTP/1.1'));
  const head = await client.answer({ head: true });
  assert.deepEqual(head.headers, page.headers);
  client.write(get('/', { Connection: 'close' }));
  const last = await client.answer();
  assert.deepEqual([last.headers.connection, last.body], ['close', page.body]);
  assert.equal((await client.ended()).length, 0);
});

const fileOf = (path) => readFileSync(new URL(`../../server/web${path}`, import.meta.url), 'utf8');

serverTest('files come compressed and once, and ringcast.js with its imports to all origins', [], async (server) => {
  const shared = new Set(['/ringcast.js']);
  for (const path of shared) {
    for (const [, name] of fileOf(path).matchAll(/from '\.(\/[^']+)'/g)) shared.add(name);
  }
  assert.ok(shared.size > 1);
  for (const path of [...shared, '/chat.js', '/chat.css', '/icon.svg', '/']) {
    const plain = await ask(server, get(path), { stays: true });
    const { etag, ...headers } = plain.headers;
    if (path !== '/') assert.equal(plain.body, fileOf(path));
    assert.match(etag, /^"[0-9a-f]{32}"$/);
    assert.equal(headers['access-control-allow-origin'], shared.has(path) ? '*' : undefined, path);
    const again = await ask(server, get(path, { 'If-None-Match': `"other", ${etag}` }), { stays: true, head: true });
    assert.deepEqual([again.status, again.headers.etag, again.headers['content-length']], [304, etag, undefined]);
    assert.equal(again.headers['access-control-allow-origin'], headers['access-control-allow-origin']);
    if (path === '/') continue;    /* filled in at start */
    const client = await RawClient.connect(server);
    client.write(get(path, { 'Accept-Encoding': 'br, gzip', Connection: 'close' }));
    const zipped = await client.answer({ head: true });
    const bytes = await client.ended();
    assert.equal(zipped.headers['content-encoding'], 'gzip');
    assert.equal(bytes.length, Number(zipped.headers['content-length']));
    assert.ok(bytes.length < plain.body.length);
    assert.equal(gunzipSync(bytes).toString(), plain.body);
    assert.equal(zipped.headers.vary, 'Accept-Encoding');
    assert.notEqual(zipped.headers.etag, etag);
  }
});

serverTest('HTTP/1.0 gets the page and an end, or stays when it asks', [], async (server) => {
  const bare = await ask(server, 'GET / HTTP/1.0\r\n\r\n');
  assert.equal(bare.status, 200);
  const staying = await RawClient.connect(server);
  for (let i = 0; i < 2; i++) {
    staying.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    assert.equal((await staying.answer()).status, 200);
  }
});

serverTest('pipelined requests are answered in order, a handshake last', ['--shards', '2'], async (server) => {
  const watcher = await connect(server, '/room/tea');
  for (let round = 0; round < 10; round++) {
    const client = await RawClient.connect(server);
    client.write(Buffer.concat([
      Buffer.from(get('/') + request('HEAD / HTTP/1.1') + get('/room/x')), handshake('/room/tea'), ping('p'),
      text('hello'),
    ]));
    assert.equal((await client.answer()).status, 200);
    assert.equal((await client.answer({ head: true })).status, 200);
    assert.equal((await client.answer()).status, 200);
    assert.equal((await client.answer()).status, 101);
    assert.equal((await client.frame()).payload.toString(), 'p');
    assert.equal(await watcher.inbox.next(), 'hello');
    client.destroy();
  }
});

serverTest('many requests at once all get their answer, the first bad one ends it', [], async (server) => {
  const client = await RawClient.connect(server);
  client.write(get('/').repeat(200) + get('/nowhere') + get('/'));
  for (let i = 0; i < 200; i++) assert.equal((await client.answer()).status, 200);
  assert.equal((await client.answer()).status, 404);
  assert.equal((await client.ended()).length, 0);
});

serverTest('a client that has closed its half still gets its answer', [], async (server) => {
  for (const [status, bytes] of [
    [200, get('/')], [200, get('/', { Connection: 'close' })], [404, get('/nowhere')], [501, 'hello\r\n\r\n'],
    [200, get('/') + get('/')],
  ]) {
    const client = await RawClient.connect(server, { allowHalfOpen: true });
    client.write(bytes);
    client.end();
    assert.equal((await client.answer()).status, status, bytes);
    await client.ended();
  }
});

serverTest('a client that leaves in the middle of a request is no trouble', [], async (server) => {
  for (const bytes of ['', 'G', 'GET / HTTP/1.1\r\n', handshake().subarray(0, 100)]) {
    for (const end of ['end', 'reset', 'destroy']) {
      const client = await RawClient.connect(server);
      client.write(bytes);
      client[end]();
    }
  }
  assert.equal((await ask(server, get('/'), { stays: true })).status, 200);
});
