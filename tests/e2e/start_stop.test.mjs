/* tests/e2e/start_stop.test.mjs - every way in which a start fails says cause and cure in one line; every way to stop
 * says goodbye to the clients. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { close, handshake, RawClient } from './raw.mjs';
import { assertRefused, run } from './run.mjs';
import { freePort, startServer } from './server.mjs';
import { assertQuiet, connect, connectMany, leave, serverTest, until, within } from './support.mjs';

const { RINGCAST } = process.env;
const READY = /^ringcast [\d.]+ listening on (http:\S+(?: and http:\S+)*), (\d+) shards, up to (\d+) connections$/;

/* Starts and, once ready, stops; returns what it wrote, its ready line taken apart. */
async function runBriefly(args, options) {
  const result = await run(args, {
    ...options,
    onStdout: (stdout, child) => { if (stdout.endsWith('\n')) child.kill('SIGTERM'); },
  });
  assert.deepEqual([result.code, result.signal], [0, null], result.stderr);
  assertQuiet(result.stderr);
  const [, urls, shards, connections] = READY.exec(result.stdout.trimEnd()) ?? assert.fail(result.stdout);
  return { ...result, urls: urls.split(' and '), shards: Number(shards), connections: Number(connections) };
}

/* --- starts that fail --------------------------------------------------------------------------------------------- */

test('a bad option ends with 2 and names what is wrong', async () => {
  for (const [args, ...words] of [
    [['--no-such-option'], /--no-such-option/],
    [['stray'], /argument 1 is unexpected/],
    [['--shards'], /--shards/],
    [['--shards', 'many'], /--shards/, /many/],
    [['--shards', '257'], /--shards/, /256/],
    [['--shards=-1'], /--shards/],
    [['--listen', 'localhost:8080'], /--listen/, /localhost/],
    [['--listen', '127.0.0.1:65536'], /--listen/],
    [['--message-bytes-max', '65MiB'], /--message-bytes-max/, /64 ?MiB/],
    [['--mailbox-letters', '100'], /--mailbox-letters/, /power of two/],
    [['--ping-ms', '1 year'], /--ping-ms/],
    [['--log-level', 'loud'], /--log-level/, /debug/],
    [['--history', '# size=5'], /--history/, /pattern/],
    [['--history', '* durable=yes'], /--history/, /"\*" is durable/, /give --data-dir/],
  ]) {
    assertRefused(await run(args), 2, ...words);
  }
  assertRefused(await run([], { env: { RINGCAST_SHARDS: 'many' } }), 2, /RINGCAST_SHARDS/, /many/);
});

test('a port in use is named, whoever uses it', async () => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const taken = `127.0.0.1:${other.address().port}`;
  assertRefused(await run(['--listen', taken]), 1, new RegExp(taken), /in use/, /choose another --listen/);
  other.close();
  const server = await startServer();
  try {
    const ours = `127.0.0.1:${server.port}`;
    assertRefused(await run(['--listen', ours]), 1, new RegExp(ours), /in use/);
    assertRefused(await run(['--listen', '127.0.0.1:0', '--listen', `0.0.0.0:${server.port}`]), 1, /in use/);
    const client = await connect(server);
    await leave(client);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  } finally {
    await server.kill();
  }
});

test('of servers that start on one port at once one gets it, and the others are told', async () => {
  for (let round = 0; round < 3; round++) {
    const port = await freePort();
    const starts = await Promise.allSettled(Array.from({ length: 4 }, () => startServer(['--shards', '32'], { port })));
    const servers = starts.filter(({ status }) => status === 'fulfilled').map(({ value }) => value);
    for (const server of servers) assert.deepEqual(await server.stop(), { code: 0, signal: null });
    assert.equal(servers.length, 1);
    for (const { reason } of starts.filter(({ status }) => status === 'rejected')) {
      assert.match(reason.message, /Address already in use: stop the program that listens there/);
    }
  }
});

test('a port is free for the next server as soon as the last has ended, or a moment after it was killed', async () => {
  let server = await startServer(['--shards', '4']);
  for (const end of ['stop', 'kill', 'stop', 'kill', 'stop']) {
    await server[end]();
    server = await startServer(['--shards', '4'], { port: server.port });
  }
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test('an address of another machine is named', async () => {
  assertRefused(await run(['--listen', '192.0.2.1:8080']), 1, /192\.0\.2\.1:8080/, /address of this machine/);
});

test('too few descriptors are named with the limit to raise', async () => {
  const script = 'ulimit -n 16 && exec "$0" "$@"';
  const result = await run(['-c', script, RINGCAST, '--listen', '127.0.0.1:0'], { command: 'sh' });
  assertRefused(result, 1, /RLIMIT_NOFILE is 16/, /ulimit -n/, /LimitNOFILE=/);
});

/* --- starts that work --------------------------------------------------------------------------------------------- */

test('the ready line says version, addresses, shards and connections', async () => {
  const { urls, shards, connections } = await runBriefly(['--listen', '127.0.0.1:0', '--shards', '3',
    '--connections-max', '100']);
  assert.equal(urls.length, 1);
  assert.match(urls[0], /^http:\/\/127\.0\.0\.1:[1-9]\d*$/, 'port 0 becomes the one chosen');
  assert.deepEqual([shards, connections], [3, 100]);
  const env = { RINGCAST_LISTEN: '127.0.0.1:0 [::1]:0', RINGCAST_SHARDS: '2' };
  const fromEnvironment = await runBriefly([], { env });
  assert.equal(fromEnvironment.urls.length, 2);
  assert.equal(fromEnvironment.shards, 2);
});

test('connections_max beyond the descriptors is lowered, with a warning', async () => {
  const script = 'ulimit -n 100 && exec "$0" "$@"';
  const args = ['--listen', '127.0.0.1:0', '--shards', '1', '--connections-max', '5000'];
  const { stderr, connections } = await runBriefly(['-c', script, RINGCAST, ...args], { command: 'sh' });
  assert.ok(connections > 0 && connections < 100, `${connections}`);
  assert.match(stderr, new RegExp(`warn.*connections_max is lowered from 5000 to ${connections}`));
});

test('--help and --version answer and end with 0', async () => {
  const help = await run(['--help']);
  assert.deepEqual([help.code, help.stderr], [0, '']);
  assert.match(help.stdout, /--lobby-echo/);
  const version = await run(['--version']);
  assert.deepEqual([version.code, version.stderr], [0, '']);
  assert.match(version.stdout, /^ringcast \d+\.\d+\.\d+\n$/);
});

test('two addresses are one server, and one may be IPv6', async () => {
  const second = await freePort();
  const server = await startServer(['--listen', `[::1]:${second}`, '--shards', '2']);
  try {
    const four = await connect(server);
    const six = await RawClient.connect({ port: second }, { host: '::1' });
    six.write(handshake());
    assert.equal((await six.answer()).status, 101);
    four.send('hello six');
    assert.equal((await six.frame()).payload.toString(), 'hello six');
    six.destroy();
    await leave(four);
    assert.deepEqual(await within(server.stop(), 'the server to stop'), { code: 0, signal: null }, server.stderr());
  } finally {
    await server.kill();
  }
});

/* As process 1 of a container it inherits whoever lost its parent. Here prctl(2) makes it the one that does, and its
 * orphan ends with our stdin. */
const REAPER = `
import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
if os.fork() == 0:
    if os.fork() == 0:
        print(os.getpid(), file=sys.stderr, flush=True)
        sys.stdin.read()
    os._exit(0)
os.wait()
os.execv(sys.argv[1], sys.argv[1:])`;

test('who is inherited leaves no zombie', async () => {
  const child = spawn('python3', ['-c', REAPER, RINGCAST, '--listen', '127.0.0.1:0']);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => { stdout += text; });
  child.stderr.on('data', (text) => { stderr += text; });
  try {
    await until(() => stdout.includes('listening'), 'the server');
    const [orphan] = /^\d+$/m.exec(stderr);
    assert.ok(fs.existsSync(`/proc/${orphan}`));
    child.stdin.end();
    await until(() => !fs.existsSync(`/proc/${orphan}`), 'the orphan to be gone');
  } finally {
    child.kill('SIGKILL');
  }
});

/* How a server ends that was told to by process.kill(). */
function ended(server) {
  return within(server.ended, 'the server to end');
}

/* --- stops -------------------------------------------------------------------------------------------------------- */

/* Keeps the server busy: everybody speaks when it hears its left neighbour, so as many messages are always under way as
 * there are clients. */
function keepTalking(clients) {
  for (const [i, client] of clients.entries()) {
    const neighbour = `${(i + clients.length - 1) % clients.length}`;
    client.on('message', (data) => { if (data.toString() === neighbour) client.send(`${i}`, () => {}); });
  }
  for (const [i, client] of clients.entries()) client.send(`${i}`);
}

for (const shards of [2, 4]) {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    serverTest(`${signal} under load on ${shards} shards is a 1001 to all`, ['--shards', shards], async (server) => {
      const clients = await connectMany(server, 50);
      keepTalking(clients);
      const idle = await connectMany(server, 10, '/room/idle');
      await until(() => clients.every((client) => client.inbox.count > 20), 'the load');
      process.kill(server.pid, signal);
      const ends = await within(Promise.all([...clients, ...idle].map((client) => client.ended)), 'goodbyes');
      for (const { code, reason } of ends) {
        assert.equal(code, 1001);
        assert.match(reason, /^server is going away, retry_after_ms=\d+$/);
      }
      return ended(server);
    });
  }
}

const PATIENT = ['--shards', '2', '--drain-ms-max', '1h', '--close-ms-max', '1h'];
for (const signal of ['SIGTERM', 'SIGINT']) {
  serverTest(`a second ${signal} ends at once, with 1`, PATIENT, async (server) => {
    const mute = await RawClient.open(server);
    process.kill(server.pid, 'SIGTERM');
    assert.equal((await mute.frame()).code, 1001);
    process.kill(server.pid, signal);
    const end = await ended(server);
    assert.match(server.stderr(), /stopping at once/);
    return end;
  }, { exitCode: 1 });
}

const HURRIED = ['--shards', '2', '--drain-ms-max', '500ms', '--close-ms-max', '1h'];
serverTest('clients that do not answer are not waited for longer than drain_ms_max', HURRIED, async (server) => {
  const mute = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(server)));
  const halfway = await RawClient.connect(server);
  halfway.write('GET / HT');
  process.kill(server.pid, 'SIGTERM');
  for (const client of mute) {
    assert.equal((await client.frame()).code, 1001);
    await client.ended();
  }
  await halfway.gone();
  return ended(server);
});

serverTest('a client that stopped reading does not hold up the end', HURRIED, async (server) => {
  const [stuck, good] = [await RawClient.open(server), await connect(server)];
  stuck.socket.pause();
  for (let i = 0; i < 200; i++) good.send(Buffer.alloc(60_000));
  process.kill(server.pid, 'SIGTERM');
  assert.equal((await within(good.ended, 'goodbye')).code, 1001);
  return ended(server);
});

serverTest('while it drains, nobody is let in', PATIENT, async (server) => {
  const mute = await RawClient.open(server, '/', { allowHalfOpen: true });
  process.kill(server.pid, 'SIGTERM');
  assert.equal((await mute.frame()).code, 1001);
  await until(() => new Promise((resolve) => {
    const late = net.connect({ host: '127.0.0.1', port: server.port });
    late.once('error', () => resolve(true));
    late.once('close', () => resolve(true));
    late.once('connect', () => late.destroy());
  }), 'connections to be refused');
  mute.write(close(1001));
  await mute.ended();
  return ended(server);
});
