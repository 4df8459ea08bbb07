/* tests/e2e/systemd.test.mjs - a server under a service manager: what it tells it from its start to its end, and
 * sockets that it is passed. */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startManaged } from './manager.mjs';
import { request, RawClient } from './raw.mjs';
import { assertRefused, run } from './run.mjs';
import { freePort } from './server.mjs';
import { assertQuiet, connect, connectMany, leave, until, within } from './support.mjs';
import { ca, ECDSA, pairArgs } from './tls.mjs';

const { RINGCAST } = process.env;

const TEST_MS = 120_000;

/* A test with a server of its own on one port, which has to end well. */
function managedTest(title, args, managerArgs, body, { code = 0 } = {}) {
  test(title, { timeout: TEST_MS }, async () => {
    const port = await freePort();
    const server = startManaged(['--listen', `127.0.0.1:${port}`, '--shards', '2', ...args], managerArgs);
    Object.assign(server, { port, url: `http://127.0.0.1:${port}` });
    try {
      await body(server);
      assert.equal(await server.ends.next('the end'), code, server.stderr());
      assertQuiet(server.stderr());
    } finally {
      server.close();
    }
  });
}

/* What is heard up to what this fits, which is the last of it. */
async function heardUpTo(server, pattern) {
  const all = [];
  while (!pattern.test(all.at(-1) ?? '')) all.push(await server.heard.next(`${pattern} after ${all}`));
  return all;
}

const BRIEF = ['--drain-ms', '300ms'];
for (const managerArgs of [[], ['--abstract']]) {
  managedTest(`start, reload and stop are told ${managerArgs}`, BRIEF, managerArgs, async (server) => {
    assert.deepEqual(await heardUpTo(server, /^READY=1/), ['STATUS=Starting', 'READY=1\nSTATUS=Serving']);
    const client = await connect(server);
    await heardUpTo(server, /^STATUS=Serving 1 connections$/);
    process.kill(server.pid, 'SIGHUP');
    const reload = await heardUpTo(server, /^READY=1/);
    assert.match(reload.find((text) => text.startsWith('RELOADING=1')), /^RELOADING=1\nMONOTONIC_USEC=\d+$/);
    process.kill(server.pid, 'SIGTERM');
    const end = await heardUpTo(server, /^EXTEND_TIMEOUT_USEC=30000000$/);
    assert.ok(end.indexOf('STOPPING=1') >= 0, `${end}`);
    assert.equal((await within(client.ended, 'a goodbye')).code, 1001);
  });
}

managedTest('all is well as long as all shards turn', ['--watchdog-ms', '200ms'], ['--watchdog', '400000'],
  async (server) => {
    for (let told = 0; told < 5; told++) await heardUpTo(server, /^WATCHDOG=1$/);
    process.kill(server.pid, 'SIGTERM');
  });

/* --- sockets that it is passed ------------------------------------------------------------------------------------ */

function at(server, name) {
  return { port: server.ports[name], url: `http://127.0.0.1:${server.ports[name]}` };
}

async function isUp(server) {
  const client = await RawClient.connect(server);
  client.write(request('GET /up HTTP/1.1', { Connection: 'close' }));
  const { status } = await client.answer();
  client.destroy();
  return status === 200;
}

test('all threads serve a passed socket, and who comes between two servers waits in it', { timeout: TEST_MS },
  async () => {
    const passed = ['listen', 'tls-listen', 'control', 'more'].flatMap((name) => ['--socket', `${name}=127.0.0.1:0`]);
    const server = startManaged(['--listen', '192.0.2.1:1', '--tls-listen', '192.0.2.1:2', ...pairArgs(ECDSA),
      '--shards', '4', '--control', '192.0.2.1:3', '--drain-ms-max', '2s'], passed);
    try {
      for (let round = 0; round < 3; round++) {
        await heardUpTo(server, /^READY=1/);
        const clients = await connectMany(at(server, 'listen'), 40, '/room/tea');
        clients.push(await connect(at(server, 'more'), '/room/tea'));
        const secure = { ...at(server, 'tls-listen'), ca: readFileSync(ca.cert) };
        clients.push(await connect({ ...secure, url: secure.url.replace('http', 'https') }, '/room/tea'));
        clients[0].send('hello');
        for (const client of clients.slice(1)) assert.equal(await client.inbox.next(), 'hello');
        assert.ok(await isUp(at(server, 'control')));
        process.kill(server.pid, 'SIGTERM');
        for (const client of clients) assert.equal((await within(client.ended, 'a goodbye')).code, 1001);
        assert.equal(await server.ends.next('the end'), 0, server.stderr());
        const waiting = connectMany(at(server, 'listen'), 10, '/room/next');
        server.again();
        const served = await waiting;
        await leave(...served);
      }
      await heardUpTo(server, /^READY=1/);
      process.kill(server.pid, 'SIGTERM');
      assert.equal(await server.ends.next('the end'), 0, server.stderr());
      assertQuiet(server.stderr());
    } finally {
      server.close();
    }
  });

test('a passed socket that is none is told with what to do', { timeout: TEST_MS }, async () => {
  const start = (script, ...args) => run(['-c', script, RINGCAST, ...args], { command: 'sh' });
  const passing = (count, what) => (
    `export LISTEN_PID=$$ LISTEN_FDS=${count} LISTEN_FDNAMES=control; exec "$0" "$@" ${what}`);
  assertRefused(await start(passing(1, '3</dev/null')), 1,
    /descriptor 3/, /for --control, is no TCP socket that listens/, /ListenStream=/);
  assertRefused(await start(passing(17, '')), 1, /LISTEN_FDS=17/, /up to 16/);
  assertRefused(await start(passing('x', '')), 1, /LISTEN_FDS=x/);
  const meantForOthers = await start('export LISTEN_PID=1 LISTEN_FDS=1; exec "$0" "$@"', '--version');
  assert.equal(meantForOthers.code, 0);
});

test('operators are served on a passed unix socket, whose file stays', { timeout: TEST_MS }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringcast-passed-')), path = join(folder, 'control.sock');
  const server = startManaged(['--listen', '127.0.0.1:0', '--control', 'unix:/nowhere/at/all'],
    ['--socket', `control=${path}`]);
  const ctl = (...args) => run(['ctl', '-s', path, ...args]);
  try {
    for (let round = 0; round < 2; round++) {
      await heardUpTo(server, /^READY=1/);
      const status = await ctl('--json', 'status');
      assert.equal(status.code, 0, status.stderr);
      assert.equal(JSON.parse(status.stdout).pid, server.pid);
      assert.equal((await ctl('stop')).code, 0);
      assert.equal(await server.ends.next('the end'), 0, server.stderr());
      assert.ok(existsSync(path), 'the file is the manager\'s');
      if (round === 0) server.again();
    }
    assertQuiet(server.stderr());
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test('a passed unix socket is for operators alone', { timeout: TEST_MS }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringcast-passed-'));
  const server = startManaged([], ['--socket', `listen=${join(folder, 'listen.sock')}`]);
  try {
    assert.equal(await server.ends.next('the end'), 1);
    assert.match(server.stderr(), /descriptor 3, .* for --listen, is a unix socket, as only --control takes one: /);
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test('a passed socket for TLS wants certificates', { timeout: TEST_MS }, async () => {
  const server = startManaged(['--listen', '127.0.0.1:0'], ['--socket', 'tls_listen=127.0.0.1:0']);
  try {
    assert.equal(await server.ends.next('the end'), 1);
    assert.match(server.stderr(), /to take the place of --tls-listen, and there is none: give it, with --tls-cert/);
  } finally {
    server.close();
  }
});

/* --- what it cannot tell ------------------------------------------------------------------------------------------ */

test('a socket that cannot be told to is a warning, and no reason not to run', { timeout: TEST_MS }, async () => {
  const server = startManaged(['--listen', '127.0.0.1:0'], ['--notify', 'vsock:2:1234']);
  try {
    await until(() => /listening on/.test(server.stderr()), 'the ready line');
    assert.match(server.stderr(), /warn .*NOTIFY_SOCKET=vsock:2:1234 is neither a path nor an abstract name/);
    process.kill(server.pid, 'SIGTERM');
    assert.equal(await server.ends.next('the end'), 0);
  } finally {
    server.close();
  }
});
