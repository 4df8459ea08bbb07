/* tests/e2e/load.test.mjs - ringcast-load judges servers that are not ringcast as fairly: by whatever HTTP their API
 * speaks and in whatever form they pass on what clients say. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { WebSocketServer } from 'ws';
import { within } from './support.mjs';
import { ECDSA } from './tls.mjs';

const LOAD = path.join(path.dirname(process.env.RINGCAST), 'ringcast-load');
const PUBLISHERS = 2;

/* Heads of answers, and when the server ends the connection behind one; without: never. */
const KEPT = {
  'HTTP/1.1': { head: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n' },
  'HTTP/1.0 with keep-alive': { head: 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n' },
};
const CLOSE = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n';
const CLOSED = {
  'HTTP/1.0': { head: 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n', endsAfterMs: 0 },
  'HTTP/1.0 without a length': { head: 'HTTP/1.0 200 OK\r\n', endsAfterMs: 0 },
  'HTTP/1.1 without a length': { head: 'HTTP/1.1 200 OK\r\n', endsAfterMs: 0 },
  'Connection: close': { head: CLOSE, endsAfterMs: 0 },
  'Connection: close, and the end comes late': { head: CLOSE, endsAfterMs: 20 },
  'Connection: close, and the end comes just when we give it up': { head: CLOSE, endsAfterMs: 100 },
  'Connection: close, and the end never comes': { head: CLOSE },
};

/* A server of Pusher's protocol that answers its HTTP API so, and passes client events on as
 * `passOn(data)`; it counts what its API gets. */
async function startServer({ head: answer, endsAfterMs }, passOn) {
  const server = http.createServer();
  const sockets = new WebSocketServer({ noServer: true });
  const publish = (event, text, from) => {
    const frame = `{"event":"${event}","channel":"c","data":${text}}`;
    for (const member of sockets.clients) if (member !== from) member.send(frame);
  };
  const counts = { requests: 0, connections: new Set(), refused: [] };
  server.on('upgrade', (request, socket, head) => sockets.handleUpgrade(request, socket, head, (client) => {
    const data = JSON.stringify({ socket_id: '1.1', activity_timeout: 120 });
    client.send(JSON.stringify({ event: 'pusher:connection_established', data }));
    client.on('error', () => {});
    client.on('message', (text) => {
      const said = JSON.parse(text);
      if (said.event === 'pusher:subscribe') {
        client.send(JSON.stringify({ event: 'pusher_internal:subscription_succeeded', channel: 'c', data: '{}' }));
      } else if (typeof said.data !== 'object') counts.refused.push(said);
      else publish(said.event, passOn(said.data), client);
    });
  }));
  server.on('request', async (request) => {
    counts.connections.add(request.socket);
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    counts.requests += 1;
    publish(JSON.parse(body).name, JSON.stringify(JSON.parse(body).data));
    request.socket.write(`${answer}\r\n{}`);
    if (endsAfterMs !== undefined) setTimeout(() => request.socket.end(), endsAfterMs);
  });
  server.on('clientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const client of sockets.clients) client.terminate();
    server.close();
    server.closeAllConnections();
  };
  return { port: server.address().port, counts, close };
}

async function load(port, ...options) {
  const child = spawn(LOAD, ['--url', `ws://127.0.0.1:${port}/`, '--protocol', 'pusher', '--app', '1:key:secret',
    '--connections', 6, '--publishers', PUBLISHERS, '--seconds', 0.3, '--json', ...options.map(String)]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => { output += text; });
  }
  const [code] = await within(once(child, 'close'), 'ringcast-load to end');
  assert.equal(code, 0, output);
  return JSON.parse(output);
}

async function loadServer(answer, passOn, ...options) {
  const server = await startServer(answer, passOn);
  try {
    await load(server.port, ...options);
    return server.counts;
  } finally { server.close(); }
}

for (const [how, answer] of Object.entries(CLOSED)) {
  test(`an API that closes its connections is asked over new ones: ${how}`, async () => {
    for (const loop of [['--window', 4], ['--rate', 60]]) {
      const { requests, connections } = await loadServer(answer, String, ...loop);
      assert.ok(requests > PUBLISHERS, `${requests} requests`);
      assert.equal(connections.size, requests, 'each over its own');
    }
  });
}

for (const [how, answer] of Object.entries(KEPT)) {
  test(`an API that keeps its connections is asked over them: ${how}`, async () => {
    const { requests, connections } = await loadServer(answer, String, '--window', 4);
    assert.ok(requests > PUBLISHERS, `${requests} requests`);
    assert.equal(connections.size, PUBLISHERS);
  });
}

for (const [how, passOn] of Object.entries({
  'as an object': (data) => JSON.stringify(data),
  'as an object with blanks': (data) => JSON.stringify(data, null, 2),
  'in a string': (data) => JSON.stringify(JSON.stringify(data)),
  'in a string, with blanks': (data) => JSON.stringify(JSON.stringify(data, null, 1)),
})) {
  test(`client events are objects, and are known again ${how}`, async () => {
    const { refused } = await loadServer(KEPT['HTTP/1.1'], passOn, '--publish-by', 'client', '--channel', 'private-c',
      '--rate', 100, '--payload-bytes', '32..3000');
    assert.deepEqual(refused, []);
  });
}

/* A server of TLS 1.3 that leaves the choice to its clients, as ringcast does. */
test('over wss it is AES that is measured, as with browsers', async () => {
  const pair = { cert: readFileSync(ECDSA.cert), key: readFileSync(ECDSA.key) };
  const server = tls.createServer({ ...pair, honorCipherOrder: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const load = spawn(LOAD, ['--url', `wss://127.0.0.1:${server.address().port}/`, '--connections', '2']);
  const [socket] = await within(once(server, 'secureConnection'), 'a client');
  const { name } = socket.getCipher();
  socket.destroy();
  await within(once(load, 'close'), 'its end');
  server.close();
  assert.equal(name, 'TLS_AES_128_GCM_SHA256');
});
