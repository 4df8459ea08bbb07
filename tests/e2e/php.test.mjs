/* tests/e2e/php.test.mjs - a backend in plain PHP, without any package: it publishes, asks, and checks webhooks. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from './server.mjs';
import { atEnd, connect, leave, serverTest, until, within } from './support.mjs';
import {
  APP, appArgs, channelTest, hmac, listen, OTHER_APP, Peer, pusherClient, subscribe, webhookReceiver,
} from './channels.mjs';

const hasPhp = spawnSync('php', ['--version']).status === 0;

const pathOf = (script) => fileURLToPath(new URL(`php/${script}`, import.meta.url));
const textOf = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');

/* Runs a script of php/; resolves to { code, out, error }. */
async function php(script, args, environment) {
  const env = { ...process.env, ...environment };
  const child = spawn('php', ['-d', 'display_errors=stderr', pathOf(script), ...args], { env });
  const result = { out: '', error: '' };
  child.stdout.on('data', (text) => { result.out += text; });
  child.stderr.on('data', (text) => { result.error += text; });
  const [code] = await within(once(child, 'close'), `${script} to end`);
  return { code, ...result };
}

/* A script of php/ on PHP's own web server: { url, log() }. */
async function phpServer(script, environment, { port, cwd } = {}) {
  port ??= await freePort();
  const env = { ...process.env, ...environment };
  const child = spawn('php', ['-d', 'display_errors=stderr', '-S', `127.0.0.1:${port}`, pathOf(script)], { env, cwd });
  let log = '';
  atEnd(() => child.kill('SIGKILL'));
  child.stderr.on('data', (text) => { log += text; });
  await until(() => log.includes('started'), 'the web server of PHP');
  return { url: `http://127.0.0.1:${port}/`, log: () => log };
}

function publish(server, app, ...args) {
  const url = `http://${app.key}:${app.secret}@127.0.0.1:${server.port}/apps/${app.id}`;
  return php('publish.php', args, { RINGCAST_URL: url });
}

const phpTest = hasPhp ? channelTest : (title) => test(title, { skip: 'NOT TESTED: there is no php' });

phpTest('PHP publishes to pusher-js and asks for the channels', { control: true }, async (server) => {
  const channel = 'tea=1,2;3@4';
  const peer = await Peer.open(server);
  await peer.subscribe('coffee');
  const heard = listen(await subscribe(pusherClient(server), channel), 'App\\Events\\Brewed');
  for (const at of [server, server.control]) {
    const { code, out, error } = await publish(at, APP, channel, 'App\\Events\\Brewed', '{"für":"Anna & Ben / 🎉"}');
    assert.deepEqual({ code, out, error }, { code: 0, out: `${channel} 1\n`, error: '' });
    assert.deepEqual(await heard.next(), { für: 'Anna & Ben / 🎉' });
  }
});

phpTest('PHP is told why it is refused', { args: appArgs('', OTHER_APP) }, async (server) => {
  const wrong = await publish(server, { ...APP, secret: OTHER_APP.secret }, 'tea', 'ev', 'x');
  assert.equal(wrong.code, 255);
  assert.match(wrong.error, /RuntimeException: Invalid signature/);
  const tooLarge = await publish(server, APP, 'tea', 'ev', 'x'.repeat(10_241));
  assert.match(tooLarge.error, /exceeds the allowed maximum \(10240 bytes\)/);
});

let receiver;

async function withWebhook() {
  receiver = await webhookReceiver({ app: OTHER_APP });
  return appArgs(`webhook=${receiver.url}`, OTHER_APP);
}

phpTest('PHP accepts a webhook of the server, and none that was changed', { args: withWebhook }, async (server) => {
  const peer = await Peer.open(server, { app: OTHER_APP });
  await peer.subscribe('tea');
  const { headers, rawBody } = await receiver.posts.next('a webhook');
  const signature = headers['x-pusher-signature'];
  const backend = await phpServer('webhook.php', { RINGCAST_SECRET: OTHER_APP.secret });
  const answerTo = async (body, claimed) => {
    const signed = claimed === undefined ? {} : { 'X-Pusher-Signature': claimed };
    return (await fetch(backend.url, { method: 'POST', body, headers: signed })).status;
  };
  for (const [body, claimed] of [
    [rawBody.replace('tea', 'tee'), signature], [`${rawBody} `, signature], ['', signature],
    [rawBody, hmac(APP.secret, rawBody)], [rawBody, signature.toUpperCase()], [rawBody, ''], [rawBody, undefined],
  ]) {
    assert.equal(await answerTo(body, claimed), 401, `${body} ${claimed}`);
  }
  assert.doesNotMatch(backend.log(), /channel_occupied/);
  assert.equal(await answerTo(rawBody, signature), 200);
  await until(() => backend.log().includes('channel_occupied tea'), 'the event in the log');
  assert.doesNotMatch(backend.log(), /Warning|Deprecated|Fatal/);
});

phpTest('whoever is logged in with PHP gets into the own channels, nobody else into any', {}, async (server) => {
  const site = await phpServer('auth.php', { RINGCAST_KEY: APP.key, RINGCAST_SECRET: APP.secret });
  const login = await fetch(`${site.url}login`);
  const cookie = login.headers.get('set-cookie').split(';')[0];
  const ask = (socketId, channel, headers = {}) => fetch(site.url, {
    method: 'POST', headers, body: new URLSearchParams({ socket_id: socketId, channel_name: channel }),
  });
  const peer = await Peer.open(server);
  for (const [channel, headers, socketId = peer.socketId] of [
    ['presence-chat', {}], ['presence-other', { cookie }], ['private-user-8', { cookie }], ['private-user-7', {}],
    ['presence-chat', { cookie }, `${peer.socketId}:private-user-8`], ['presence-chat', { cookie }, ''],
  ]) {
    assert.equal((await ask(socketId, channel, headers)).status, 403, channel);
  }
  const client = pusherClient(server, {
    channelAuthorization: {
      customHandler: async ({ socketId, channelName }, done) => {
        const answer = await ask(socketId, channelName, { cookie });
        done(answer.ok ? null : new Error(`${answer.status}`), answer.ok ? await answer.json() : null);
      },
    },
  });
  const chat = await subscribe(client, 'presence-chat');
  assert.deepEqual([chat.members.me.id, chat.members.me.info], ['7', { id: '7', name: 'Anna' }]);
  await subscribe(client, 'private-user-7');
  await assert.rejects(subscribe(client, 'private-user-8'), /403/);
  assert.doesNotMatch(site.log(), /Warning|Deprecated|Fatal/);
});

/* --- saving rooms ------------------------------------------------------------------------------------------------- */

const hasSqlite = hasPhp && spawnSync('php', ['-r', 'exit(extension_loaded("pdo_sqlite") ? 0 : 1);']).status === 0;

function saveTest(title, body) {
  for (const shards of hasSqlite ? [1, 4] : []) {
    let port;
    const args = async () => {
      port = await freePort();
      const settings = `webhook=http://127.0.0.1:${port}/ webhook_events=room_message`;
      return [...appArgs(settings), '--shards', shards, '--history', 'tea'];
    };
    serverTest(`${title}, on ${shards} shards`, args, (server) => body(server, port));
  }
  if (!hasSqlite) test(title, { skip: 'NOT TESTED: PHP has no pdo_sqlite' });
}

/* What is in the database: rows of [room, epoch, offset, data]. */
function savedIn(directory) {
  const query = 'SELECT room, epoch, offset, data FROM message ORDER BY offset';
  const { stdout } = spawnSync('php', ['-r',
    `echo json_encode((new PDO('sqlite:messages.db'))->query('${query}')->fetchAll(PDO::FETCH_NUM));`],
  { cwd: directory, encoding: 'utf8' });
  try { return JSON.parse(stdout); } catch { return []; }
}

/* The receiver comes after the first message, which is told again. */
saveTest('PHP saves what is said in rooms, each once', async (server, port) => {
  const directory = mkdtempSync(join(tmpdir(), 'ringcast-save-'));
  const [ann, ben] = [await connect(server, '/room/tea'), await connect(server, '/room/tea')];
  const elsewhere = await connect(server, '/room/coffee');
  ann.send('Ann: is "anybody" here?\n🎉');
  await ben.inbox.next();
  const saver = await phpServer('save.php', { RINGCAST_SECRET: APP.secret }, { port, cwd: directory });
  ann.send(Buffer.from('binary'));
  elsewhere.send('not kept');
  for (let i = 0; i < 12; i += 1) ben.send(`Ben: ${i}`);
  const rows = await until(() => [savedIn(directory)].find(({ length }) => length === 13), 'all to be saved');
  const [[, epoch]] = rows;
  assert.match(epoch, /^[a-z0-9]{8}$/);
  assert.deepEqual(rows.map(([room, itsEpoch, offset, data]) => [room, itsEpoch, offset, data]), [
    ['tea', epoch, 1, 'Ann: is "anybody" here?\n🎉'],
    ...Array.from({ length: 12 }, (_, i) => ['tea', epoch, i + 2, `Ben: ${i}`])]);
  await checkSaver(saver, epoch, directory);
  await leave(ann, ben, elsewhere);
  rmSync(directory, { recursive: true });
});

/* A repeat changes nothing, what is not signed is not taken, and what cannot be saved is not acknowledged. */
async function checkSaver(saver, epoch, directory) {
  const post = async (event, secret = APP.secret) => {
    const body = JSON.stringify({ time_ms: 1, events: [{ name: 'room_message', socket_id: '0.1', ...event }] });
    const headers = { 'X-Pusher-Signature': hmac(secret, body) };
    return (await fetch(saver.url, { method: 'POST', body, headers })).status;
  };
  const late = { channel: 'tea', epoch, offset: 3, data: 'changed' };
  assert.equal(await post(late), 200);
  assert.equal(await post({ ...late, offset: 99 }, OTHER_APP.secret), 401);
  assert.equal(await post({ ...late, name: 'channel_occupied', offset: 98 }), 200);
  const rows = savedIn(directory);
  assert.deepEqual([rows.length, rows[2][3]], [13, 'Ben: 1']);
  rmSync(join(directory, 'messages.db'));
  mkdirSync(join(directory, 'messages.db'));
  assert.equal(await post({ ...late, offset: 100 }), 500);
}

/* The README's PHP is that of the scripts, but for the credentials that a reader puts in. */
test('what README shows of PHP is what these tests run', () => {
  const shown = [...textOf('../../README.md').matchAll(/^```php\n(.*?)^```$/gms)].map(([, code]) => code
    .replace('"http://KEY:SECRET@127.0.0.1:8080/apps/ID$path"', "getenv('RINGCAST_URL') . $path")
    .replace("'KEY:'", "getenv('RINGCAST_KEY') . ':'")
    .replace("'SECRET')", "getenv('RINGCAST_SECRET'))"));
  const functions = shown.filter((code) => code.startsWith('function ringcast'))
    .map((code) => code.slice(0, code.indexOf('\n}\n') + 3));
  assert.equal(functions.length, 1);
  assert.ok(textOf('php/publish.php').includes(functions[0]));
  const webhooks = shown.filter((code) => code.includes('X_PUSHER_SIGNATURE'));
  const programs = ['php/webhook.php', 'php/save.php'].map(textOf);
  assert.equal(webhooks.length, programs.length);
  for (const [i, code] of webhooks.entries()) assert.ok(programs[i].endsWith(`\n\n${code}`), code);
  assert.equal(webhooks[1].trim().split('\n').length, 15);
  const logins = shown.filter((code) => code.includes('$_SESSION'));
  assert.equal(logins.length, 1);
  assert.ok(textOf('php/auth.php').endsWith(`\n\n${logins[0]}`));
});
