/* tests/e2e/php.test.mjs - a backend in plain PHP, without any package: it publishes, asks, and checks webhooks. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { within } from './support.mjs';
import {
  APP, appArgs, channelTest, hmac, listen, OTHER_APP, Peer, pusherClient, subscribe, webhookReceiver,
} from './channels.mjs';

const hasPhp = spawnSync('php', ['--version']).status === 0;

/* Runs a script of php/; resolves to { code, out, error }. */
async function php(script, args, { input = '', ...environment } = {}) {
  const path = fileURLToPath(new URL(`php/${script}`, import.meta.url));
  const env = { ...process.env, ...environment };
  const child = spawn('php', ['-d', 'display_errors=stderr', path, ...args], { env });
  const result = { out: '', error: '' };
  child.stdout.on('data', (text) => { result.out += text; });
  child.stderr.on('data', (text) => { result.error += text; });
  child.stdin.end(input);
  const [code] = await within(once(child, 'close'), `${script} to end`);
  return { code, ...result };
}

function publish(server, app, ...args) {
  const url = `http://${app.key}:${app.secret}@127.0.0.1:${server.port}/apps/${app.id}`;
  return php('publish.php', args, { RINGCAST_URL: url });
}

const phpTest = hasPhp ? channelTest : (title) => test(title, { skip: 'NOT TESTED: there is no php' });

phpTest('PHP publishes to pusher-js and asks for the channels', { control: true }, async (server) => {
  const heard = listen(await subscribe(pusherClient(server), 'tea'), 'App\\Events\\Brewed');
  for (const at of [server, server.control]) {
    const { code, out, error } = await publish(at, APP, 'tea', 'App\\Events\\Brewed', '{"für":"Anna & Ben / 🎉"}');
    assert.deepEqual({ code, out, error }, { code: 0, out: 'tea\n', error: '' });
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
  const check = (input, ...args) => php('webhook.php', args, { input, RINGCAST_SECRET: OTHER_APP.secret });
  const good = await check(rawBody, signature);
  assert.deepEqual(good, { code: 0, out: 'channel_occupied tea\n', error: '' });
  for (const [body, claimed] of [
    [rawBody.replace('tea', 'tee'), signature], [`${rawBody} `, signature], ['', signature],
    [rawBody, hmac(APP.secret, rawBody)], [rawBody, signature.toUpperCase()], [rawBody, ''],
  ]) {
    assert.deepEqual(await check(body, claimed), { code: 1, out: '', error: 'not signed by ringcast\n' });
  }
});
