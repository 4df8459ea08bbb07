/* tests/e2e/systemd.test.mjs - a server under a service manager: what it tells it from its start to its end. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startManaged } from './manager.mjs';
import { freePort } from './server.mjs';
import { assertQuiet, connect, until, within } from './support.mjs';

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
