/* tests/e2e/reload.test.mjs - SIGHUP: the configuration is read again, and what it changes holds for real clients that
 * are there, without a close. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import {
  APP, call, errorCode, hmac, listen, OTHER_APP, Peer, pusherClient, signIn, subscribe, untilState, webhookReceiver,
} from './channels.mjs';
import { connect, counters, leave, serverTest, sleep, until } from './support.mjs';

const folder = mkdtempSync(`${tmpdir()}/ringcast-reload-`);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

let files = 0;

/* A file of its own for a test: its name, and write(sections), an object of sections or the text itself. */
function configFile() {
  const file = { name: `${folder}/${++files}.conf` };
  file.write = (what) => {
    const lines = (section) => Object.entries(what[section]).flatMap(([name, value]) => `${name} = ${value}`);
    const text = typeof what === 'string' ? what
      : Object.keys(what).flatMap((section) => [`[${section}]`, ...lines(section)]).join('\n');
    writeFileSync(file.name, `${text}\n`);
  };
  return file;
}

const section = ({ key, secret }, more = {}) => ({ key, secret, ...more });
const MAIN = `app ${APP.id}`, OTHER = `app ${OTHER_APP.id}`;
const said = (server, pattern) => server.stderr().split('\n').filter((line) => pattern.test(line));
const DONE = /info .*reload: done: /, REFUSED = /error .*reload: refused, everything stays as it was: /;

async function hangUp(server, end = DONE) {
  const before = said(server, end).length;
  process.kill(server.pid, 'SIGHUP');
  await until(() => said(server, end).length > before, `${end} in the log`);
}

/* A server with this configuration, on 1 shard and on 3; reload(sections) has it read another one. */
function reloadTest(title, sections, body, options) {
  for (const shards of [1, 3]) {
    const file = configFile();
    const args = () => {
      file.write(typeof sections === 'function' ? sections() : sections);
      return ['--config', file.name, '--shards', shards];
    };
    serverTest(`${title}, on ${shards} shards`, args, (server) => {
      const reload = async (next, end) => {
        file.write(next);
        await hangUp(server, end);
      };
      return body(Object.assign(server, { reload, file }));
    }, options);
  }
}

/* --- secrets ------------------------------------------------------------------------------------------------------ */

reloadTest('secrets are changed in three steps, and nobody is cut', { [MAIN]: section(APP) }, async (server) => {
  const next = { ...APP, secret: 'the-next-secret' };
  const clients = [APP, APP].map((app) => pusherClient(server, { app, user: { id: 'anna' } }));
  for (const client of clients) await untilState(client, 'connected');
  const [one, two] = clients;
  const ids = clients.map((client) => client.connection.socket_id);
  const inbox = listen(await subscribe(one, 'private-a'), 'news');
  await server.reload({ [MAIN]: section(next, { previous_secret: APP.secret }) });
  assert.match(said(server, /reload: app 1001: secret: /)[0], /secret: another one$/);
  assert.match(said(server, /reload: app 1001: previous_secret: /)[0], /none -> \*\*\*$/);
  await subscribe(two, 'private-a');    /* signed with the one that is the previous one now */
  await signIn(two);
  const peer = await Peer.open(server, { app: next });
  await peer.subscribe('private-a');
  const body = JSON.stringify({ name: 'news', channel: 'private-a', data: '1' });
  for (const app of [APP, next]) {
    const { status } = await call(server, 'POST', '/events', { app, body });
    assert.equal(status, 200);
    assert.equal(String(await inbox.next()), '1');
    await peer.expect('news', 'private-a', '1');
  }
  await server.reload({ [MAIN]: section(next) });
  const { status } = await call(server, 'POST', '/events', { app: APP, body });
  assert.equal(status, 401, 'the former secret is no more');
  const late = await Peer.open(server, { app: APP });
  late.askFor('private-a');
  await late.expectRefusal('private-a');
  await call(server, 'POST', '/events', { app: next, body });
  assert.equal(String(await inbox.next()), '1');
  assert.deepEqual(clients.map((client) => client.connection.socket_id), ids, 'no client has come anew');
  assert.doesNotMatch(server.stderr(), new RegExp(`${APP.secret}|${next.secret}`));
  await late.leave();
  await peer.leave();
});

/* --- apps --------------------------------------------------------------------------------------------------------- */

reloadTest('an app comes, changes and goes', { [MAIN]: section(APP) }, async (server) => {
  const stays = await Peer.open(server);
  assert.equal((await Peer.refused(server, `/app/${OTHER_APP.key}`)).code, 4001);
  await server.reload({ [MAIN]: section(APP), [OTHER]: section(OTHER_APP) });
  const peer = await Peer.open(server, { app: OTHER_APP });
  await peer.subscribe('private-a');
  const other = await Peer.open(server, { app: OTHER_APP });
  await other.subscribe('private-a');
  peer.send('client-hello', 'x', 'private-a');
  await other.expect('client-hello', 'private-a', 'x');
  await server.reload({ [MAIN]: section(APP), [OTHER]: section(OTHER_APP, { client_events: 'no', channels_max: 1 }) });
  peer.send('client-hello', 'x', 'private-a');
  await peer.expectError(4301, /not enabled/);
  await server.reload({ [MAIN]: section(APP) });
  for (const one of [peer, other]) assert.equal((await one.expectEnd()).code, 4100);
  assert.equal((await Peer.refused(server, `/app/${OTHER_APP.key}`)).code, 4001);
  assert.equal((await call(server, 'GET', '/channels', { app: OTHER_APP })).status, 404);
  await stays.expectQuiet();
  assert.equal((await counters(server)).closed_app_gone, 2);
  await server.reload({ [MAIN]: section(APP), [OTHER]: section(OTHER_APP) });
  await (await Peer.open(server, { app: OTHER_APP })).leave();
  await server.reload({ [MAIN]: section(APP, { enabled: 'no' }) });
  assert.equal((await stays.expectEnd()).code, 4003);
});

reloadTest('pusher-js of an app that is gone is told so, and is back when the app is',
  { [MAIN]: section(APP), [OTHER]: section(OTHER_APP) }, async (server) => {
    const client = pusherClient(server, { app: OTHER_APP });
    const errors = listen(client.connection, 'error');
    await untilState(client, 'connected');
    await server.reload({ [MAIN]: section(APP) });
    assert.equal(errorCode(await errors.next()), 4100);
    await server.reload({ [MAIN]: section(APP), [OTHER]: section(OTHER_APP) });
    const back = pusherClient(server, { app: OTHER_APP });
    await untilState(back, 'connected');
  });

/* --- webhooks ----------------------------------------------------------------------------------------------------- */

reloadTest('what waits for a webhook goes where the newer configuration says, signed by its secret',
  { [MAIN]: section(APP) }, async (server) => {
    const failing = await webhookReceiver({ answer: () => 500 });
    const next = { ...APP, secret: 'the-next-secret' };
    const receiver = await webhookReceiver({ app: next });
    await server.reload({ [MAIN]: section(APP, { webhook: failing.url }) });    /* the first app that wants any */
    const peer = await Peer.open(server);
    await peer.subscribe('a');
    await until(async () => (await counters(server)).webhooks_failed > 0, 'a failure');
    await server.reload({ [MAIN]: section(next, { webhook: receiver.url }) });
    assert.deepEqual(await receiver.events.next(), { name: 'channel_occupied', channel: 'a' });
    await peer.leave();
  });

/* --- options ------------------------------------------------------------------------------------------------------ */

reloadTest('options apply to who is there, or from the next connection on, and what needs a restart is named',
  { [MAIN]: section(APP), limits: { message_bytes_max: '100' } }, async (server) => {
    const old = await connect(server), other = await connect(server);
    await server.reload({
      [MAIN]: section(APP), server: { lobby_echo: 'yes' },
      limits: { message_bytes_max: '1KiB', mailbox_letters: '4096' }, log: { log_level: 'debug' },
    });
    assert.equal(said(server, /info .*reload: lobby_echo: no -> yes$/).length, 1);
    assert.equal(said(server, /info .*reload: message_bytes_max: 100 -> 1KiB$/).length, 1);
    assert.equal(said(server, /warn .*reload: mailbox_letters: 2048 -> 4096; this needs a restart/).length, 1);
    assert.match(said(server, DONE).at(-1), /done: 3 changes are applied, 1 need a restart$/);
    const late = await connect(server);
    await until(() => said(server, / debug /).length > 0, 'a line of the level that counts now');
    late.send('y'.repeat(1000));
    for (const client of [late, old, other]) assert.equal(await client.inbox.next(), 'y'.repeat(1000));
    old.send('x'.repeat(101));
    assert.equal((await old.ended).code, 1009, 'it came when less was taken');
    const page = await (await fetch(server.url)).text();
    assert.match(page, /ringcast-lobby-echo" content="yes"/);
    assert.match(page, /ringcast-message-bytes-max" content="1024"/);
    await server.reload({ [MAIN]: section(APP), log: { log_level: 'info' } });
    await leave(other, late);
  });

/* --- refusals ----------------------------------------------------------------------------------------------------- */

const secretFile = `${folder}/secret`;

reloadTest('a configuration with a mistake changes nothing', () => {
  writeFileSync(secretFile, 'in-a-file');
  return { [MAIN]: section(APP), [OTHER]: section({ ...OTHER_APP, secret: `@${secretFile}` }) };
}, async (server) => {
  const peer = await Peer.open(server, { app: OTHER_APP });
  await server.reload(`[limits]\nping_ms = 1s\nnonsense = 3\n[app ${APP.id}]\nkey = x\n[nowhere]\n`, REFUSED);
  const mistakes = said(server, REFUSED);
  assert.equal(mistakes.length, 3, mistakes.join('\n'));
  assert.match(mistakes[0], /\.conf:3: unknown option "nonsense"/);
  rmSync(secretFile);
  await server.reload({ [MAIN]: section(APP), [OTHER]: section({ ...OTHER_APP, secret: `@${secretFile}` }) }, REFUSED);
  assert.match(said(server, REFUSED).at(-1), /secret cannot be read: No such file/);
  rmSync(server.file.name);
  await hangUp(server, REFUSED);
  assert.match(said(server, REFUSED).at(-1), /\.conf cannot be read: No such file/);
  assert.equal(said(server, DONE).length, 0);
  await peer.expectQuiet();
  const { status } = await call(server, 'GET', '/channels', { app: { ...OTHER_APP, secret: 'in-a-file' } });
  assert.equal(status, 200);
  await peer.leave();
}, { expected: REFUSED });

reloadTest('many at once do no harm, and one while the server drains is refused', { [MAIN]: section(APP) },
  async (server) => {
    const peers = await Promise.all(Array.from({ length: 20 }, () => Peer.open(server)));
    for (let i = 0; i < 200; i++) {
      server.file.write({ [MAIN]: section(APP, { members_max: 1 + i }) });
      process.kill(server.pid, 'SIGHUP');
      if (i % 20 === 0) await sleep(5);
    }
    const last = /reload: app 1001: members_max: \d+ -> 200$/;
    await until(() => said(server, last).length > 0, 'the last of them');
    for (const peer of peers) await peer.expectQuiet();
    process.kill(server.pid, 'SIGTERM');
    process.kill(server.pid, 'SIGHUP');
    return server.ended;
  }, { expected: REFUSED });
