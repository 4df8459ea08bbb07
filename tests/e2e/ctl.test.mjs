/* tests/e2e/ctl.test.mjs - ringcast ctl: each command against a server that runs, and what is wrong said in a line. */

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { APP, appArgs, OTHER_APP, Peer } from './channels.mjs';
import { run } from './run.mjs';
import { freePort, startServer } from './server.mjs';
import { connect, until, within } from './support.mjs';
import { pairArgs, pairOf } from './tls.mjs';

const folder = mkdtempSync(join(tmpdir(), 'ringcast-ctl-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'control.sock');

async function ctl(...args) {
  return run(['ctl', '-s', path, ...args]);
}

/* What a command answers. */
async function json(...args) {
  const { code, stdout, stderr } = await ctl('--json', ...args);
  assert.deepEqual([code, stderr], [0, ''], stderr);
  return JSON.parse(stdout);
}

async function refused(args, code, sentence) {
  const answer = await ctl(...args);
  assert.deepEqual([answer.code, answer.stdout], [code, ''], `${args}: ${answer.stderr}`);
  assert.match(answer.stderr, /^ringcast ctl: [^\n]+\n$/);
  assert.match(answer.stderr, sentence);
}

/* Of a request over the socket. */
async function statusOf(target) {
  const [answer] = await once(http.request({ socketPath: path, path: target, agent: false }).end(), 'response');
  answer.resume();
  return answer.statusCode;
}

/* A server with the socket. */
async function withServer(args, body) {
  const server = await startServer(['--control', `unix:${path}`, ...args]);
  try {
    await body(server);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  } finally {
    await server.kill();
  }
}

test('status says what the server is and how it is', async () => {
  await withServer(['--shards', '2', ...appArgs()], async (server) => {
    const client = await connect(server);
    client.send('x');
    const status = await until(async () => {
      const answer = await json('status');
      return answer.messages.received === 1 && answer;
    }, 'a message in the status');
    assert.deepEqual([status.pid, status.state, status.ready, status.reasons, status.shards, status.apps, status.store,
      status.cluster], [server.pid, 'running', true, [], 2, 1, 'none', 'none']);
    assert.equal(status.connections.clients, 1);
    const { code, stdout } = await ctl('status');
    assert.equal(code, 0);
    assert.match(stdout, /^version +\d+\.\d+\.\d+\n/);
    assert.match(stdout, /\nready +yes\n/);
    assert.match(stdout, /\nconnections\n {2}clients +1\n/);
  });
});

test('cluster says of a node that is alone that it is', async () => {
  await withServer(['--shards', '1'], async () => {
    await refused(['cluster'], 1, /This node is alone: --redis connects it with others/);
  });
});

test('config get shows values and where they are from, and no secret', async () => {
  const token = join(folder, 'token');
  writeFileSync(token, 'top-s3cret\n');
  const app = appArgs('webhook=http://u:p4ss@127.0.0.1:1/?k=v');
  const args = ['--ping-ms', '7s', '--control-token', `@${token}`, ...app];
  await withServer(args, async () => {
    assert.deepEqual((await json('config', 'get', 'ping-ms')).values,
      [{ section: 'limits', name: 'ping_ms', value: '7s', source: '--ping-ms' }]);
    assert.deepEqual((await json('config', 'get', 'limits.pong_ms_max')).values,
      [{ section: 'limits', name: 'pong_ms_max', value: '10s', source: 'default' }]);
    assert.deepEqual((await json('config', 'get', 'control')).values[0].value, `unix:${path}`);
    const { values } = await json('config', 'get');
    assert.equal(values.find(({ name }) => name === 'secret').value, '***');
    assert.equal(values.find(({ name }) => name === 'control_token').value, '***');
    const { stdout } = await ctl('config', 'get');
    for (const secret of [APP.secret, 'top-s3cret', 'p4ss', 'k=v']) assert.ok(!stdout.includes(secret), secret);
    assert.ok((await json('config', 'get', `app ${APP.id}`)).values.length > 10);
    await refused(['config', 'get', 'ping-msec'], 1, /There is no option "ping_msec"; did you mean ping_ms\?/);
    await refused(['config', 'get', 'x'.repeat(300)], 1, /is no text of 1 to 256 bytes/);
  });
});

test('log-level changes what is logged from now on', async () => {
  await withServer([], async (server) => {
    assert.deepEqual(await json('log-level', 'debug'), { log_level: 'debug', was: 'info' });
    const client = await connect(server);
    await until(() => / debug shard \d+: connection /.test(server.stderr()), 'a line of debug');
    client.terminate();
    assert.deepEqual(await json('log-level', 'error'), { log_level: 'error', was: 'debug' });
    await until(() => /the level of the log is error now, it was debug/.test(server.stderr()), 'the line that says so');
    await refused(['log-level', 'loud'], 1, /"loud" is no level; give error, warn, info or debug/);
    assert.equal((await json('status')).log_level, 'error');
    await json('log-level', 'info');
  });
});

test('certificates are told with their days', async () => {
  await withServer([], async () => assert.deepEqual(await json('certificates'), { certificates: [] }));
  const pair = pairOf('ctl');
  await withServer(['--tls-listen', `127.0.0.1:${await freePort()}`, ...pairArgs(pair)], async () => {
    const [certificate, ...others] = (await json('certificates')).certificates;
    assert.equal(others.length, 0);
    assert.ok(pairArgs(pair).includes(certificate.file));
    assert.match(certificate.subject, /CN=/);
    assert.match(certificate.names, /^localhost\b/);
    assert.match(certificate.until, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.ok([89, 90].includes(certificate.days_left) && !certificate.has_expired);
  });
});

test('channel shows who is in it, by shard and form, and what is kept', async () => {
  const args = ['--shards', '3', '--history', 'kept-* size=5', ...appArgs(), ...appArgs('', OTHER_APP)];
  await withServer(args, async (server) => {
    const peers = await Promise.all(Array.from({ length: 6 }, () => Peer.open(server)));
    for (const peer of peers) await peer.subscribe('kept-tea');
    const room = await connect(server, '/room/kept-tea');
    for (let i = 0; i < 7; i++) room.send(`${i}`);
    const channel = await until(async () => {
      const answer = await json('channel', 'kept-tea');
      return answer.history.last_offset === 7 && answer;
    }, 'seven messages');
    const count = (form) => channel.shards.reduce((sum, shard) => sum + shard[form], 0);
    assert.deepEqual([channel.subscribers, count('channels'), count('rooms')], [7, 6, 1]);
    assert.deepEqual([channel.history.rule, channel.history.durable, channel.history.state, channel.history.messages,
      channel.history.first_offset], ['kept-*', false, 'ready', 5, 3]);
    const member = await Peer.open(server);
    await member.subscribe('presence-x', { member: { user_id: 'anna' } });
    const presence = await json('channel', 'presence-x');
    assert.deepEqual([presence.members, presence.subscribers, presence.history], [1, 1, null]);
    await refused(['channel', 'kept-tea', '-a', OTHER_APP.id], 1, /Nobody uses this channel now/);
    await refused(['channel', 'kept-tea', '-a', 'nix'], 1, /There is no app "nix"/);
    await refused(['channel', 'nobody-there'], 1, /Nobody uses this channel now/);
    await refused(['channel', 'x'.repeat(201)], 1, /has 1 to 200 characters/);
  });
});

test('connection shows where it comes from, if somebody wants to know', async () => {
  for (const [args, address] of [[[], /^-$/], [['--log-connections', '1'], /^127\.0\.0\.1:\d+$/]]) {
    await withServer([...args, ...appArgs()], async (server) => {
      const peer = await Peer.open(server);
      assert.match((await json('connection', peer.socketId)).address, address);
    });
  }
});

test('connection shows one by its socket id, and close ends it', async () => {
  await withServer(['--shards', '3', ...appArgs()], async (server) => {
    const peer = await Peer.open(server), other = await Peer.open(server);
    await peer.subscribe('tea');
    await peer.signIn({ id: 'anna' });
    const shown = await json('connection', peer.socketId);
    assert.deepEqual([shown.state, shown.protocol, shown.app, shown.user, shown.tls, shown.is_blocked, shown.is_read],
      ['OPEN', 'pusher', APP.id, 'anna', false, false, true]);
    assert.ok(shown.channels.includes('tea'));
    const place = peer.socketId.split('.')[1];
    assert.equal((await json('connection', `0.${place}`)).user, 'anna');
    await refused(['connection', `1.${place}`], 1, /No connection has this socket id/);
    assert.deepEqual(await json('close', 'connection', peer.socketId), {});
    assert.equal((await peer.expectEnd()).code, 4009);
    await refused(['connection', peer.socketId], 1, /it has ended, or never was/);
    await refused(['close', 'connection', peer.socketId], 1, /it has ended, or never was/);
    for (const id of ['x', '1', '1.', '.1', '1.1.1', '-1.1'])
      await refused(['connection', '--', id], 1, /is no socket id/);
    await refused(['connection', '5.4503599627370495'], 1, /No connection has this socket id/);
    assert.equal((await json('connection', other.socketId)).state, 'OPEN', 'the other one stays');
  });
});

test('top shows the busiest channels, and for whom most waits', async () => {
  await withServer(['--shards', '2', '--outbox-bytes-max', '64MiB', ...appArgs()], async (server) => {
    const speakers = await Promise.all(['busy', 'calm'].map((room) => connect(server, `/room/${room}`)));
    const stuck = await Peer.open(server);
    await stuck.subscribe('busy');
    stuck.client._socket.pause();
    const top = await until(async () => {
      for (let i = 0; i < 100; i++) speakers[0].send('x'.repeat(60_000));
      for (let i = 0; i < 5; i++) speakers[1].send('x');
      const answer = await json('top');
      return answer.connections.length > 0 && answer.channels.length === 2 && answer;
    }, 'somebody for whom something waits');
    assert.deepEqual(top.channels.map(({ channel }) => channel), ['busy', 'calm']);
    assert.ok(top.channels[0].messages_per_second > top.channels[1].messages_per_second);
    assert.equal(top.connections[0].connection, stuck.socketId);
    assert.ok(top.connections[0].waiting_bytes > 0);
    await until(async () => (await json('connection', stuck.socketId)).is_blocked, 'its socket to be full');
    stuck.client.terminate();
  });
});

test('trace shows the way of a message while it happens', async () => {
  await withServer(['--shards', '3', '--history', 'tea', ...appArgs()], async (server) => {
    const room = await connect(server, '/room/tea');
    const child = spawn(process.env.RINGCAST, ['ctl', '-s', path, 'trace', 'channel', 'tea'],
      { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    let written = '';
    child.stdout.setEncoding('utf8').on('data', (text) => { written += text; });
    try {
      await until(() => room.send('hello') ?? written.length > 0, 'a first line', { poll: 200 });
      await refused(['trace', 'channel', 'other'], 1, /Another trace is under way: there is one at a time/);
      const peer = await Peer.open(server);
      await peer.subscribe('tea');
      room.send('hello');
      await peer.next();
      await until(() => / as=events /.test(written), 'the last step');
      for (const step of [/^\d\d:\d\d:\d\d\.\d{3} {2}shard \d {2}subscribed {2}on shard=\d$/m,
        / published {2}by=a client of the room {2}socket=0\.\d+ {2}bytes=\d+$/m,
        / ordered {2}kept=in memory {2}offset=\d+ {2}subscribers=2 {2}to shards=\d$/m,
        / sent {2}messages=1 {2}to=1 {2}of=1 {2}as=events {2}who read slowly=0$/m])
        assert.match(written, step);
      assert.ok(!written.includes('hello'), 'what is said is nobody\'s business');
    } finally {
      child.kill();
      await ended;
    }
    await until(async () => await statusOf('/ctl/trace/user?id=anna') === 200,
      'a trace that nobody asks for any more to end', { poll: 500 });
  });
});

test('close user ends all that are signed in as one', async () => {
  await withServer(['--shards', '2', ...appArgs()], async (server) => {
    const peers = await Promise.all(Array.from({ length: 3 }, () => Peer.open(server)));
    for (const [i, peer] of peers.entries()) await peer.signIn({ id: i < 2 ? 'ann/a' : 'ben' });
    assert.deepEqual(await json('close', 'user', 'ann/a'), {});
    for (const peer of peers.slice(0, 2)) assert.equal((await peer.expectEnd()).code, 4009);
    assert.equal((await json('connection', peers[2].socketId)).user, 'ben');
    assert.deepEqual(await json('close', 'user', 'nobody'), {});
  });
});

test('reload tells what has changed, or what is wrong', async () => {
  const file = join(folder, 'reloaded.conf');
  const write = (lines) => writeFileSync(file, `[server]\ncontrol = unix:${path}\n${lines}`, { mode: 0o600 });
  write('');
  const server = await startServer(['--config', file]);
  write('[limits]\nping_ms = 30s\n');
  const { applied, need_a_restart: waiting, told } = await json('reload');
  assert.deepEqual([applied, waiting], [1, 0]);
  assert.deepEqual(told[0], { line: 'ping_ms: 25s -> 30s' });
  write('[limits]\nping_ms = soon\n');
  await refused(['reload'], 1, /refused, everything stays as it was: .*reloaded\.conf:4: /);
  assert.equal((await json('config', 'get', 'ping_ms')).values[0].value, '30s');
  assert.equal((await server.stop()).code, 0);
});

test('an app that a reload took away is none of the apps any more', async () => {
  const file = join(folder, 'apps.conf');
  const write = (...ids) => writeFileSync(file, [`[server]\ncontrol = unix:${path}`,
    ...ids.map((id) => `[app ${id}]\nkey = key-of-${id}\nsecret = secret-of-${id}`), ''].join('\n'), { mode: 0o600 });
  write('a', 'b');
  const server = await startServer(['--config', file]);
  assert.equal((await json('status')).apps, 2);
  write('a');
  await json('reload');
  assert.equal((await json('status')).apps, 1);
  assert.equal((await server.stop()).code, 0);
});

test('drain stops as SIGTERM does, stop at once, both with 0', async () => {
  for (const [command, state] of [['drain', 'draining'], ['stop', 'stopping']]) {
    const server = await startServer(['--control', `unix:${path}`]);
    const client = await connect(server);
    assert.deepEqual(await json(command), { state });
    assert.equal((await client.ended).code, command === 'drain' ? 1001 : 1006);
    assert.deepEqual(await server.ended, { code: 0, signal: null });
    assert.match(server.stderr(), command === 'drain' ? /an operator has the server drain/ : /stop at once/);
  }
});

test('commands are for the unix socket alone', async () => {
  const port = await freePort();
  await withServer(['--control', `127.0.0.1:${port}`, '--control-token', 'token'], async (server) => {
    for (const target of ['/ctl/status', '/ctl/config/get', '/ctl/drain', '/ctl/stop']) {
      for (const method of ['GET', 'POST']) {
        const headers = { Authorization: 'Bearer token' };
        const answer = await fetch(`http://127.0.0.1:${port}${target}`, { method, headers });
        assert.equal(answer.status, 403);
        assert.match(await answer.text(), /^Commands are taken on the unix socket alone/);
      }
      assert.equal((await fetch(`${server.url}${target}`)).status, 404);
    }
  });
});

test('a wrong command line is told with 2, and nothing is asked', async () => {
  for (const [args, sentence] of [
    [[], /no command is given/], [['statis'], /did you mean status\?/],
    [['xyzzy'], /no command is called xyzzy; see --help/],
    [['trace'], /trace alone is no command; give one of: trace channel NAME, trace user ID$/m],
    [['config'], /give one of: config get \[NAME\]$/m], [['close', 'x', 'y'], /close connection ID, close user ID$/m],
    [['status', 'x'], /status takes no argument/], [['log-level'], /needs an argument: ringcast ctl log-level LEVEL/],
    [['channel', 'two', 'words'], /takes one argument; one with blanks needs quotes/],
    [['--foo', 'status'], /unknown option --foo/], [['status', '-t'], /-t needs a value/],
    [['-t', '0', 'status'], /-t takes 1 to 3600 seconds/],
    [['-t', '1e9', 'status'], /-t takes 1 to 3600 seconds/], [['completion', 'fish'], /a script for bash alone/],
    [['-s', `/${'x'.repeat(200)}`, 'status'], /at most 107 bytes/], [Array(20).fill('x'), /too many words/],
  ]) await refused(args, 2, sentence);
});

test('a server that cannot be reached is told with 3, one that does not answer with 4', async () => {
  await refused(['-s', join(folder, 'nowhere'), 'status'], 3, /No such file or directory; does the server run/);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await refused(['-s', file, 'status'], 3, /Connection refused/);
  const silent = net.createServer((socket) => socket.on('error', () => {}));
  const garbage = (socket) => socket.end('\0\x01garbage\r\n\r\n'), hangUp = (socket) => socket.end();
  let behave = () => {};
  const strange = join(folder, 'strange.sock');
  silent.on('connection', (socket) => socket.once('data', () => behave(socket)));
  await once(silent.listen(strange), 'listening');
  try {
    await refused(['-s', strange, '-t', '1', 'status'], 4, /no answer within 1 seconds/);
    for (behave of [garbage, hangUp]) {
      await refused(['-s', strange, 'status'], 3, /is no ringcast, or it ended/);
    }
    behave = (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
    await refused(['-s', strange, 'status'], 3, /speaks no JSON/);
  } finally {
    silent.close();
  }
});

test('who may not open the socket is told so', { skip: process.getuid() !== 0 && 'needs root' }, async () => {
  await withServer([], async () => {
    chmodSync(folder, 0o755);
    const result = spawnSync('setpriv', ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.env.RINGCAST,
      'ctl', '-s', path, 'status'], { encoding: 'utf8' });
    if (result.error || !/^ringcast ctl: /.test(result.stderr)) return;      /* the program itself cannot be run so */
    assert.equal(result.status, 3, result.stderr);
    assert.match(result.stderr, /Permission denied; be its owner, or in its group/);
  });
});

test('the socket is found by the configuration, whatever else that says', async () => {
  const config = join(folder, 'ringcast.conf');
  writeFileSync(config, `[server]\ncontrol = 127.0.0.1:1\ncontrol = unix:${path}\n`);
  await withServer([], async (server) => {
    for (const [args, env] of [[['--config', config], {}], [[], { RINGCAST_CONFIG: config }],
      [[], { RINGCAST_CONTROL: `127.0.0.1:1,unix:${path}`, RINGCAST_APP: '@/nowhere', RINGCAST_PING_MS: 'x' }]]) {
      const { code, stdout, stderr } = await run(['ctl', '--json', 'status', ...args], { env });
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).pid, server.pid);
    }
  });
  writeFileSync(config, '[server]\nping = 1\n');
  const wrong = await run(['ctl', 'status', '--config', config]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /which names the socket, cannot be read: .*ringcast\.conf:2: .*; or give -s PATH\n$/);
});

test('bash completes commands and their arguments', async () => {
  const { stdout } = await run(['ctl', 'completion', 'bash']);
  const script = join(folder, 'completion');
  writeFileSync(script, stdout);
  const complete = (...words) => execFileSync('bash', ['-c',
    `source ${script}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ringcast; echo "\${COMPREPLY[*]}"`,
    'bash', 'ringcast', ...words], { encoding: 'utf8' }).trim();
  assert.equal(complete('ct'), 'ctl');
  assert.equal(complete('ctl', 'sta'), 'status');
  assert.equal(complete('ctl', 'clos'), 'close', 'once, though two begin so');
  assert.equal(complete('ctl', 'close', ''), 'connection user');
  assert.equal(complete('ctl', '-s', '/x', 'log-level', ''), 'error warn info debug');
  assert.equal(complete('ctl', 'config', 'get', 'ping'), 'ping_ms');
  assert.equal(complete('ctl', 'status', ''), '');
});

test('help has every command', async () => {
  const { code, stdout } = await run(['ctl', '--help']);
  assert.equal(code, 0);
  for (const words of ['status', 'config get [NAME]', 'log-level LEVEL', 'close user ID', 'completion SHELL'])
    assert.ok(stdout.includes(`  ${words}`), words);
  assert.ok(stdout.split('\n').every((line) => line.length <= 110), stdout);
});
