/* tests/e2e/php.test.mjs - a backend in plain PHP, without any package: it publishes, asks, and checks webhooks. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from './server.mjs';
import { atEnd, until, within } from './support.mjs';
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
async function phpServer(script, environment) {
  const port = await freePort();
  const env = { ...process.env, ...environment };
  const child = spawn('php', ['-d', 'display_errors=stderr', '-S', `127.0.0.1:${port}`, pathOf(script)], { env });
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
  assert.equal(webhooks.length, 1);
  assert.ok(textOf('php/webhook.php').endsWith(`\n\n${webhooks[0]}`));
  const logins = shown.filter((code) => code.includes('$_SESSION'));
  assert.equal(logins.length, 1);
  assert.ok(textOf('php/auth.php').endsWith(`\n\n${logins[0]}`));
});
