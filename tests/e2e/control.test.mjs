/* tests/e2e/control.test.mjs - the control listener over real sockets: a unix socket and its file, probes, and those
 * who flood it, never read or send garbage. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { appArgs, call, Peer } from './channels.mjs';
import { request } from './raw.mjs';
import { assertRefused, run } from './run.mjs';
import { freePort, startServer } from './server.mjs';
import { connect, counters, until, within } from './support.mjs';

const folder = mkdtempSync(join(tmpdir(), 'ringcast-control-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'control.sock');

/* An answer over the socket at `socketPath`, or from `port`. */
async function get(where, target, { method = 'GET', headers = {} } = {}) {
  const sent = http.request({ ...where, method, path: target, headers, agent: false }).end();
  const [answer] = await within(once(sent, 'response'), `an answer to ${target}`);
  let body = '';
  for await (const piece of answer.setEncoding('utf8')) body += piece;
  return { status: answer.statusCode, headers: answer.headers, body };
}

async function withServer(args, body) {
  const server = await startServer(args);
  try {
    await body(server);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  } finally {
    await server.kill();
  }
}

const socketOf = async () => {
  const socket = net.connect({ path });
  await within(once(socket, 'connect'), 'a connection');
  socket.on('error', () => {});
  return socket;
};

test('the socket has mode 0660 whatever the umask is, serves, and goes with the server', async () => {
  const before = process.umask(0o077);
  try {
    await withServer(['--control', `unix:${path}`, ...appArgs()], async (server) => {
      assert.equal(lstatSync(path).mode & 0o7777, 0o660);
      assert.deepEqual([(await get({ socketPath: path }, '/up')).body, (await get({ socketPath: path }, '/live')).body],
        ['OK\n', '{"live":true}']);
      const ready = await get({ socketPath: path }, '/ready');
      assert.deepEqual([ready.status, JSON.parse(ready.body)], [200, { ready: true, reasons: [] }]);
      assert.equal((await get({ socketPath: path }, '/nowhere')).status, 404);
      assert.equal((await fetch(`${server.url}/ready`)).status, 404, 'not where clients come in');
      assert.equal((await fetch(`${server.url}/up`)).status, 200);
    });
  } finally {
    process.umask(before);
  }
  assert.ok(!existsSync(path), 'the file is gone');
});

test('the HTTP API is there on the socket and on every further address', async () => {
  const port = await freePort();
  await withServer(['--control', `unix:${path}`, '--control', `127.0.0.1:${port}`, ...appArgs()], async (server) => {
    const peer = await Peer.open(server);
    await peer.subscribe('tea');
    for (const where of [{ port }, { socketPath: path }])
      assert.equal((await get(where, '/apps/1001/channels')).status, 400, 'which has to be signed there too');
    const event = { name: 'ev', channel: 'tea', data: 'x' };
    assert.equal((await call({ port }, 'POST', '/events', { body: event })).status, 200);
    await peer.expect('ev', 'tea', 'x');
  });
});

test('a socket that a killed server has left is replaced, one that is served is not', async () => {
  const args = ['--control', `unix:${path}`];
  const killed = await startServer(args);
  await killed.kill();
  assert.ok(existsSync(path), 'left behind');
  await withServer(args, async () => {
    assertRefused(await run([...args, '--listen', `127.0.0.1:${await freePort()}`]), 1,
      /cannot listen on unix:.*control\.sock: somebody answers there: stop the program that does/);
    assert.equal((await get({ socketPath: path }, '/live')).status, 200, 'and goes on being served');
  });
  assert.ok(!existsSync(path));
});

test('of servers that start at once, one has the socket', async () => {
  const killed = await startServer(['--control', `unix:${path}`]);
  await killed.kill();
  const all = await Promise.allSettled(Array.from({ length: 4 }, () => startServer(['--control', `unix:${path}`])));
  const started = all.filter(({ status }) => status === 'fulfilled').map(({ value }) => value);
  assert.equal(started.length, 1);
  assert.equal((await get({ socketPath: path }, '/live')).status, 200);
  await started[0].stop();
  assert.ok(!existsSync(path));
});

test('what cannot be listened on is told with its cure, and nothing is touched', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, 'data');
  const listen = ['--listen', `127.0.0.1:${await freePort()}`];
  for (const [given, code, why] of [
    [`unix:${file}`, 1, /what is there is no socket: take it away/],
    [`unix:${folder}/nowhere/c.sock`, 1, /its folder is not there: make it/],
    [`unix:/${'x'.repeat(120)}`, 2, /is too long: the path of a unix socket has at most 107 bytes/],
    ['unix:c.sock', 2, /names no unix socket; give unix: and its whole path/],
    ['/run/c.sock', 2, /is not an address; give unix:PATH, or ADDR:PORT/],
  ]) {
    assertRefused(await run([...listen, '--control', given]), code, why);
    const checked = await run(['check', ...listen, '--control', given]);
    assert.equal(checked.code, code, checked.stdout);
    assert.match(checked.stdout, why);
  }
  assert.equal(readFileSync(file, 'utf8'), 'data');
  const good = await run(['check', ...listen, '--control', `unix:${path}`]);
  assert.match(good.stdout, /unix:.*control\.sock is free/);
  assert.ok(!existsSync(path), 'a check makes nothing');
});

test('a server whose store cannot write is not ready, and says why', async () => {
  const data = join(folder, 'data');
  const args = ['--control', `unix:${path}`, '--history', '* durable=yes', '--data-dir', data];
  await withServer(args, async () => {
    assert.equal((await get({ socketPath: path }, '/ready')).status, 200);
    renameSync(data, `${data}-moved`);
    const ready = await until(async () => {
      const answer = await get({ socketPath: path }, '/ready');
      return answer.status === 503 && JSON.parse(answer.body);
    }, 'a red /ready');
    assert.equal(ready.ready, false);
    assert.equal(ready.reasons[0].reason, 'store');
    assert.ok(ready.reasons[0].text.length > 0);
    assert.equal((await get({ socketPath: path }, '/live')).status, 200, 'it lives');
    renameSync(`${data}-moved`, data);
    await until(async () => (await get({ socketPath: path }, '/ready')).status === 200, 'a green /ready');
  });
});

test('what is told of the server is for its own machine, or for who has the token', async () => {
  const port = await freePort();
  const addresses = Object.values(networkInterfaces()).flat();
  const other = addresses.find(({ family, internal }) => family === 'IPv4' && !internal);
  const withToken = (token) => ({ headers: { Authorization: `Bearer ${token}` } });
  for (const [args, without] of [[[], 403], [['--control-token', 'right'], 401]]) {
    await withServer(['--control', `0.0.0.0:${port}`, ...args], async () => {
      const here = { port, host: '127.0.0.1' }, hereWithout = args.length > 0 ? without : 200;
      for (let i = 0; i < 3; i++) assert.equal((await get(here, '/stats')).status, hereWithout);
      assert.equal((await get(here, '/top')).status, hereWithout);
      for (const path of ['/live', '/ready', '/']) assert.equal((await get(here, path)).status, 200, path);
      assert.equal((await get(here, '/stats', withToken('right'))).status, 200);
      const proxied = await get(here, '/stats', { headers: { 'X-Forwarded-For': '192.0.2.1' } });
      assert.equal(proxied.status, without, 'a proxy on this machine asks for anybody');
      const named = await get(here, '/stats', { headers: { Host: `evil.example:${port}` } });
      assert.equal(named.status, without, 'a page of another site asks by the browser of this machine');
      if (args.length === 0) assert.match(named.body, /asks for localhost or an address, .*\(DNS rebinding\)/);
      assert.equal((await get(here, '/stats', { headers: { Host: `localhost:${port}` } })).status, hereWithout);
      if (!other) return;                         /* nowhere to come from but the machine itself */
      const from = { port, host: other.address };
      assert.equal((await get(from, '/ready')).status, 200);
      assert.equal((await get(from, '/stats')).status, without);
      assert.equal((await get(from, '/stats', withToken('wrong'))).status, without);
      assert.equal((await get(from, '/stats', withToken('right'))).status, args.length > 0 ? 200 : 403);
      assert.equal((await get(here, '/stats')).status, hereWithout, 'one behind the other');
    });
  }
});

test('who floods it, never reads or sends garbage costs clients nothing', async () => {
  await withServer(['--control', `unix:${path}`, '--handshake-ms-max', '500'], async (server) => {
    const speaker = await connect(server), reader = await connect(server);
    const silent = await Promise.all(Array.from({ length: 40 }, socketOf));
    const stuck = await socketOf();
    stuck.pause();
    for (let i = 0; i < 2000; i++) stuck.write(request('GET /ready HTTP/1.1'));
    for (const garbage of ['\0\xff\r\n', 'GET /live HTTP/9.9\r\n\r\n', '\x16\x03\x01\x02',
      `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n`, request('GET http://[ HTTP/1.1'),
      request('POST /live HTTP/1.1', { 'Content-Length': '9'.repeat(20) })]) {
      const socket = await socketOf();
      socket.resume();
      const closed = once(socket, 'close');
      socket.write(Buffer.from(garbage, 'latin1'));
      await within(closed, 'the end of garbage');
    }
    for (let i = 0; i < 100; i++) {
      speaker.send(`${i}`);
      assert.equal(await reader.inbox.next(), `${i}`);
    }
    for (const socket of silent) {
      socket.resume();
      if (!socket.closed) await within(once(socket, 'close'), 'the end of who says nothing');
    }
    stuck.destroy();
    assert.equal((await get({ socketPath: path }, '/live')).status, 200);
    assert.equal((await counters(server)).closed_handshake_timeout >= 40, true);
  });
});
