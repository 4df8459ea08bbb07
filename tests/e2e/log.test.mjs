/* tests/e2e/log.test.mjs - the log: its forms, the journal, what is told of connections that end, floods, and that no
 * secret is ever in it. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { APP, Peer, appArgs, call, channelAuth, userAuth } from './channels.mjs';
import { newGuest, post } from './guests.mjs';
import { RawClient, text } from './raw.mjs';
import { freePort, startServer } from './server.mjs';
import { Inbox, atEnd, connect, leave, serverTest, sized, until, within } from './support.mjs';

const folder = mkdtempSync(join(tmpdir(), 'ringcast-log-'));
after(() => rmSync(folder, { recursive: true }));

/* ---- reading it -------------------------------------------------------------------------------------------------- */

const wholeLines = (stderr) => stderr.slice(0, stderr.lastIndexOf('\n') + 1).split('\n').slice(0, -1);

/* A line of logfmt; JSON knows the same escapes of quotes and backslashes. */
function logfmt(line) {
  const pair = /([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "=\\]+)(?: |$)/y, record = {};
  for (let match; pair.lastIndex < line.length; record[match[1]] = match[2].replace(/^".*"$/, JSON.parse)) {
    match = pair.exec(line);
    assert.ok(match !== null, line);
  }
  return record;
}

const FORMS = {
  json: (stderr) => wholeLines(stderr).map((line) => JSON.parse(line)),
  logfmt: (stderr) => wholeLines(stderr).map(logfmt),
  text: (stderr) => wholeLines(stderr).map((line) => {
    const [, level, message] = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn |info |debug) (.*)$/.exec(line);
    const [, ...pairs] = / (connection=\S+ .*)$/.exec(message) ?? [];
    return { level: level.trim(), message, ...logfmt(pairs[0] ?? '') };
  }),
};

/* Older kernels do not tell. */
const ADDRESS = /^(127\.0\.0\.1:\d+|-)$/;

const ends = (records) => records.filter(({ connection, reason }) => connection && reason);

/* ---- connections that end ---------------------------------------------------------------------------------------- */

for (const [format, read] of Object.entries(FORMS)) {
  const args = [...appArgs(), '--shards', '2', '--log-format', format, '--log-connections', '1'];
  serverTest(`of each connection there is a line when it ends, as ${format}`, args, async (server) => {
    const ended = () => ends(read(server.stderr()));
    const next = async (count, what) => (await until(() => ended().length >= count && ended(), what)).at(count - 1);
    const room = await connect(server, '/room/x');
    room.send('hello');
    await leave(room);
    const raw = await next(1, 'the end of a raw client');
    assert.deepEqual([raw.protocol, raw.app, raw.reason], ['lobby', APP.id, 'peer_closed']);
    assert.match(raw.address, ADDRESS);
    assert.ok(Number(raw.bytes_in) > 100 && Number(raw.bytes_out) > 100, JSON.stringify(raw));
    assert.match(String(raw.seconds), /^\d+(\.\d{1,3})?$/);
    assert.match(raw.connection, /^\d+\.\d+$/);

    const peer = await Peer.open(server);
    await peer.signIn({ id: 'anna "a" = b\\' });
    await peer.leave();
    const channel = await next(2, 'the end of a channel client');
    assert.deepEqual([channel.protocol, channel.app, channel.user], ['pusher', APP.id, 'anna "a" = b\\']);

    const broken = await RawClient.connect(server);
    broken.reset();
    const reset = await next(3, 'the end of a socket');
    assert.ok(['peer_reset', 'peer_gone'].includes(reset.reason), JSON.stringify(reset));
    assert.deepEqual([reset.protocol, reset.app, Number(reset.bytes_in)], ['http', undefined, 0]);
  });
}

test('the thread of the control addresses has a name of its own', async () => {
  const port = await freePort();
  const server = await startServer(['--shards', '2', '--control', `127.0.0.1:${port}`, '--log-format', 'json',
    '--log-connections', '1']);
  await fetch(`http://127.0.0.1:${port}/live`, { headers: { Connection: 'close' } });
  const [end] = await until(() => { const all = ends(FORMS.json(server.stderr())); return all.length > 0 && all; },
    'its end');
  assert.equal(end.thread, 'control');
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

serverTest('one of so many is told, and none unless asked', ['--shards', '1', '--log-connections', '5'],
  async (server) => {
    for (let i = 0; i < 11; i++) await fetch(`${server.url}/up`, { headers: { Connection: 'close' } });
    await until(() => ends(FORMS.text(server.stderr())).length === 3, 'the ends of the first, sixth and eleventh');
  });

serverTest('of a flood of ends the log says how many were left out', ['--shards', '1', '--log-format', 'json',
  '--log-connections', '1'], async (server) => {
  const count = sized(1000, 20_000);
  for (let done = 0; done < count; done += 100) {
    await Promise.all(Array.from({ length: 100 }, async () => {
      const client = await RawClient.connect(server);
      client.destroy();
    }));
  }
  const told = () => {
    const records = FORMS.json(server.stderr());
    const leftOut = records.filter(({ place }) => /^tally\.c:\d+$/.test(place ?? ''));
    const lost = records.map(({ message }) => Number(/^(\d+) lines lost$/.exec(message)?.[1] ?? 0));
    return ends(records).length + [...leftOut.map(({ left_out: n }) => n), ...lost].reduce((sum, n) => sum + n, 0);
  };
  await until(async () => {
    await fetch(`${server.url}/up`).then((answer) => answer.text());    /* a turn of the thread, which tells */
    return told() >= count;
  }, 'all of them, told or counted');
});

/* ---- the journal ------------------------------------------------------------------------------------------------- */

async function startJournal(path) {
  const child = spawn('python3', ['-B', new URL('journal.py', import.meta.url).pathname, path],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  const inbox = new Inbox();
  createInterface({ input: child.stdout }).on('line', (line) => inbox.put(JSON.parse(line)));
  atEnd(() => child.kill('SIGKILL'));
  await inbox.next('the socket of a journal');
  const end = () => within(new Promise((resolve) => {
    child.once('close', resolve);
    child.kill('SIGINT');
  }), 'a journal to end');
  return { inbox, end, child };
}

async function nextWith(journal, pattern) {
  for (;;) {
    const fields = await journal.inbox.next(`a line like ${pattern}`);
    if (pattern.test(fields.MESSAGE)) return fields;
  }
}

test('the journal gets fields, and stderr what comes while there is none', async () => {
  const path = join(folder, 'journal');
  let journal = await startJournal(path);
  const server = await startServer([...appArgs(), '--shards', '1', '--log-to', `journald:${path}`, '--log-connections',
    '1']);
  try {
    assert.equal((await nextWith(journal, /^io_uring of kernel/)).PRIORITY, '6');
    const peer = await Peer.open(server);
    await peer.signIn({ id: 'anna' });
    await peer.leave();
    const { RINGCAST_BYTES_IN: bytesIn, RINGCAST_BYTES_OUT: bytesOut, RINGCAST_SECONDS: seconds, ...fields } =
      await nextWith(journal, /^a connection ended/);
    assert.ok(Number(bytesIn) > 0 && Number(bytesOut) > 0 && Number(seconds) >= 0);
    assert.match(fields.RINGCAST_ADDRESS, ADDRESS);
    assert.deepEqual(fields, {
      SYSLOG_IDENTIFIER: 'ringcast', PRIORITY: '6', MESSAGE: 'a connection ended: peer sent a close frame',
      RINGCAST_THREAD: 'shard 0', RINGCAST_CONNECTION: fields.RINGCAST_CONNECTION,
      RINGCAST_ADDRESS: fields.RINGCAST_ADDRESS, RINGCAST_PROTOCOL: 'pusher', RINGCAST_APP: APP.id,
      RINGCAST_USER: 'anna', RINGCAST_REASON: 'peer_closed',
    });
    assert.equal(server.stderr(), '');
    await journal.end();
    process.kill(server.pid, 'SIGUSR1');
    await until(() => /counters: connections_accepted=/.test(server.stderr()), 'the counters on stderr');
    assert.match(server.stderr(), /warn  log: .*\/journal: .*: lines go to stderr until the journal takes them\n/);
    journal = await startJournal(path);
    process.kill(server.pid, 'SIGUSR1');
    await nextWith(journal, /^counters: connections_accepted=/);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    await nextWith(journal, /^stopped$/);
    assert.equal(server.stderr().match(/lines go to stderr/g).length, 1);
  } finally {
    await server.kill();
    journal.child.kill('SIGKILL');
  }
});

/* ---- secrets ----------------------------------------------------------------------------------------------------- */

/* Everything that is one, or was said in confidence, has this in it. */
const PLANT = 'pL4nt3d';
const plant = (name) => `${PLANT}-${name}`;

async function sayAllThatIsSecret(server, app) {
  const peer = await Peer.open(server, { app });
  peer.send('pusher:subscribe', { channel: 'private-a', auth: `${app.key}:${plant('auth')}` });
  await peer.expectRefusal('private-a');
  await peer.subscribe('private-b');
  peer.send('pusher:signin', { auth: `${app.key}:${plant('auth')}`, user_data: plant('user') });
  peer.send('client-a', { text: plant('client event') }, 'private-b');
  peer.sendText(`{"event":"${plant('broken')}`);
  peer.sendText(plant('no JSON'));
  peer.send(plant('event'), plant('data'), plant('channel'));
  peer.client.close(4321, plant('goodbye'));
  const room = await connect(server, '/room/x');
  room.send(plant('in a room'));
  room.close(4321, plant('goodbye'));
  const bad = await RawClient.connect(server);
  bad.write(`GET /app/${app.key}?auth=${plant('query')} HTTP/1.1\r\nCookie: ${plant('cookie')}\r\n` +
    `Authorization: Bearer ${plant('bearer')}\r\nBad Header ${plant('header')}\r\n\r\n`);
  await call(server, 'POST', '/events', { app, body: { name: 'e', channel: 'private-b', data: plant('published') } });
  await call(server, 'POST', '/events', { app, body: `{"name":"${plant('body')}` });
  await call(server, 'GET', '/channels', { app, spoil: { auth_signature: plant('signature') } });
  const guest = await newGuest(server);
  const { body } = await post(server, '/guests/auth',
    { token: guest.token, name: plant('name'), socket_id: peer.socketId, channel_name: 'presence-a' });
  await post(server, '/guests/auth',
    { token: plant('token'), name: 'Ann', socket_id: peer.socketId, channel_name: 'presence-a' });
  const frames = await RawClient.connect(server);
  frames.write(text(plant('no request')));
  await within(Promise.all([peer.ended, room.ended]), 'two closes');
  for (const client of [bad, frames]) client.destroy();
  return [guest.token, body.auth.split(':')[1], channelAuth(peer.socketId, 'private-b', undefined, app).split(':')[1],
    userAuth(peer.socketId, '', app).split(':')[1]];
}

test('no secret and nothing that anybody said is in the log, whatever is logged', async () => {
  const app = { id: '1001', key: 'a-key', secret: plant('secret') };
  const data = join(folder, 'data'), config = join(folder, 'secrets.conf'), path = join(folder, 'secrets.journal');
  const none = '127.0.0.1:9';    /* where nobody takes webhooks */
  writeFileSync(config, `[app 1001]\nkey = a-key\nsecret = ${app.secret}\nprevious_secret = ${plant('previous')}\n` +
    `webhook = http://me:${plant('password')}@${none}/hook?token=${plant('token')}\n` +
    'webhook_events = all,room_message\n' +
    `webhook_header = Authorization: Bearer ${plant('bearer')}\n[channels *]\ndurable = yes\n`);
  const journal = await startJournal(path);
  for (const where of [...Object.keys(FORMS).map((form) => ['--log-format', form]), ['--log-to', `journald:${path}`]]) {
    const server = await startServer(['--config', config, '--data-dir', data, '--guests', '--log-level', 'debug',
      '--log-connections', '1', '--shards', '2', '--webhook-batch-ms', '0', '--webhook-stop-ms-max', '0',
      ...where]);
    try {
      const more = await sayAllThatIsSecret(server, app);
      process.kill(server.pid, 'SIGUSR1');
      assert.equal((await server.stop()).code, 0, server.stderr());
      let said = server.stderr();
      if (where[0] === '--log-to') {
        for (let fields = {}; fields.MESSAGE !== 'stopped'; said += `${JSON.stringify(fields)}\n`)
          fields = await journal.inbox.next('a line of the journal');
      }
      assert.match(said, /a connection ended/);
      assert.match(said, /debug|"7"/);
      assert.match(said, /webhook/);
      for (const secret of [PLANT, ...more]) {
        const lines = said.split('\n').filter((line) => line.includes(secret));
        assert.deepEqual(lines, [], where.join(' '));
      }
    } finally {
      await server.kill();
    }
  }
  journal.child.kill('SIGKILL');
});
