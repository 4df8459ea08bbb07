/* tests/e2e/tls_clients.test.mjs - clients over wss and https: npm's `ws`, pusher-js, Laravel Echo, the backend
 * package, Chromium; among others over ws, with whom they share rooms and channels. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import https from 'node:https';
import { after, before } from 'node:test';
import Echo from 'laravel-echo';
import Pusher from 'pusher-js';
import { launchBrowser, messageOf, openChat, send } from './browser.mjs';
import {
  APP, appArgs, ask, backend, endpointAnswer, errorCode, listen, Peer, pusherClient, reconnected, signIn, socketOf,
  subscribe, untilState,
} from './channels.mjs';
import { close, handshake, OPCODE, frame } from './raw.mjs';
import {
  atEnd, connect, connectMany, counters, Inbox, leave, refusal, until, untilCounters, untilNobody, within,
} from './support.mjs';
import { closeOneThatReadsOn, publishUntil } from './slow_reader.mjs';
import { sClient, tlsTest, trustAuthority } from './tls.mjs';

const KIB = 1024;
const MIB = 1024 * KIB;

trustAuthority();    /* pusher-js has no option for it */

const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

/* --- rooms -------------------------------------------------------------------------------------------------------- */

const SIZES = [
  0, 1, 2, 125, 126, 127, 1000, 4095, 4096, 8192, 16_379, 16_380, 16_382, 16_383, 16_384, 16_385, 32_766, 32_768,
  49_149, 65_535, 65_536,
];

for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
  tlsTest(`messages of every size go both ways: ${maxVersion}`, {}, async (server, secure) => {
    const wss = await connectMany(secure, 2, '/room/tea', { maxVersion });
    const ws = await connectMany(server, 2, '/room/tea');
    const all = [...wss, ...ws];
    for (const sender of [wss[0], ws[0]]) {
      const others = all.filter((client) => client !== sender);
      const messages = SIZES.flatMap((size) => ['x'.repeat(size), Buffer.alloc(size, size & 0xff)]);
      for (const message of messages) {
        sender.send(message);
        for (const other of others) assert.deepEqual(await other.inbox.next(), message);
      }
      for (const message of messages.slice(0, 24)) sender.send(message);
      for (const other of others) assert.deepEqual(await other.inbox.take(24), messages.slice(0, 24));
    }
    await leave(...all);
    await untilNobody(server);
  });
}

tlsTest('messages of a mebibyte go both ways', { args: ['--message-bytes-max', '1MiB'] }, async (server, secure) => {
  const wss = await connectMany(secure, 3);
  const [ws] = await connectMany(server, 1);
  const all = [...wss, ws];
  for (const [i, sender] of [wss[0], ws, wss[1]].entries()) {
    const message = Buffer.alloc(MIB, i + 1);
    message.writeUInt32BE(i, MIB / 2);
    sender.send(message);
    for (const other of all.filter((client) => client !== sender)) {
      assert.equal(hash(await other.inbox.next()), hash(message));
    }
  }
  wss[0].send(Buffer.alloc(MIB + 1));
  assert.equal((await within(wss[0].ended, 'a close')).code, 1009);
  await leave(wss[1], wss[2], ws);
});

tlsTest('all see one order, over wss and ws', { args: ['--lobby-echo'], shards: [1, 2, 4] },
  async (server, secure) => {
    const each = 1500;
    const clients = [...await connectMany(secure, 4, '/room/tea'), ...await connectMany(server, 4, '/room/tea')];
    for (let n = 0; n < each; n++) {
      for (const [i, client] of clients.entries()) client.send(`${i} ${n}`);
      if (n % 100 === 99) await new Promise(setImmediate);
    }
    const heard = await Promise.all(clients.map((client) => client.inbox.take(each * clients.length)));
    for (const one of heard.slice(1)) assert.equal(one.join(), heard[0].join(), 'the same order for all');
    const next = clients.map(() => 0);
    for (const message of heard[0]) {
      const [who, n] = message.split(' ').map(Number);
      assert.equal(n, next[who], 'what one says comes in its order');
      next[who] += 1;
    }
    await leave(...clients);
  });

for (const [reason, counter, args] of [
  ['too much waits', 'closed_slow_reader', ['--outbox-bytes-max', '1MiB']],
  ['it waits too long', 'closed_stale_reader', ['--outbox-bytes-max', '1GiB', '--outbox-age-ms-max', '500ms']],
]) {
  tlsTest(`a reader over wss that stops reading is closed alone: ${reason}`,
    { args: [...args, '--close-ms-max', '500ms'], shards: [1, 2] }, async (server, secure) => {
      const [publisher, ...readers] = [...await connectMany(secure, 4), ...await connectMany(server, 2)];
      const slow = await connect(secure);
      slow.pause();
      await publishUntil(server, publisher, readers, (now) => now[counter] > 0);
      publisher.send('after it');
      for (const reader of readers) assert.equal(await reader.inbox.next(), 'after it');
      const end = await untilCounters(server, (now) => now.messages_live === 0 && now.outbox_bytes === 0
        && now.connections_open === readers.length + 1, 'nothing to be left of it');
      assert.equal(end[counter], 1);
      slow.terminate();
    });
}

tlsTest('a slow reader over wss is told with 1013, if it reads on in time',
  { args: ['--outbox-bytes-max', '256KiB', '--close-ms-max', '1m'], shards: [1] },
  async (server, secure) => closeOneThatReadsOn(server, await connectMany(secure, 3)));

/* --- life and end ------------------------------------------------------------------------------------------------- */

tlsTest('pings are answered, and the silent are asked and closed',
  { args: ['--ping-ms', '300ms', '--pong-ms-max', '2s'] }, async (server, secure) => {
    const [good, deaf] = [await connect(secure), await connect(secure, '/', { autoPong: false })];
    for (const payload of ['', 'x', 'y'.repeat(125)]) {
      const pong = within(once(good, 'pong'), 'a pong');
      good.ping(payload);
      assert.equal((await pong)[0].toString(), payload);
    }
    await within(deaf.ended, 'the end of patience');
    await until(() => good.pings >= 3, 'three pings');
    const end = await untilCounters(server, (now) => now.connections_open === 1, 'one to be left');
    assert.equal(end.closed_silent, 1);
  });

tlsTest('a close is answered with its code', {}, async (server, secure) => {
  for (const code of [1000, 1008, 3000, 4999]) {
    const client = await connect(secure);
    client.close(code, 'bye');
    assert.equal((await within(client.ended, 'the answer')).code, code);
  }
  await untilNobody(server);
});

tlsTest('what breaks the protocol is told why, and the session ends well', {}, async (server, secure) => {
  for (const [code, bytes] of [
    [1000, close(1000)], [1002, frame(3, 'x')], [1002, frame(OPCODE.text, 'x', { masked: false })],
    [1007, frame(OPCODE.text, Buffer.from([0xff, 0xfe]))], [1009, frame(OPCODE.binary, Buffer.alloc(65_537))],
  ]) {
    for (const version of ['-tls1_2', '-tls1_3']) {
      const tool = sClient(secure, version);
      tool.write(handshake('/'));
      await tool.says(/HTTP\/1\.1 101/);
      tool.write(bytes);
      if (code !== 1000) await tool.says(new RegExp(`\x88[^]${String.fromCharCode(code >> 8, code & 0xff)}`));
      if (code !== 1000) tool.write(close(code));
      const { output } = await tool.done();
      assert.match(output, /closed\n$/, `${code}: close_notify came before the end`);
    }
  }
  await untilNobody(server);
});

tlsTest('a server that stops says 1001, and close_notify', {}, async (server, secure) => {
  const clients = await connectMany(secure, 20, '/room/tea');
  const tool = sClient(secure);
  tool.write(handshake('/'));
  await tool.says(/HTTP\/1\.1 101/);
  const end = server.stop();
  for (const client of clients) assert.equal((await within(client.ended, 'goodbye')).code, 1001);
  await tool.says(/\x88/);
  tool.write(close(1001));
  assert.match((await tool.done()).output, /closed\n$/);
  return end;
});

tlsTest('origins and names are judged as over ws', { args: ['--origin', 'https://a.example'] },
  async (server, secure) => {
    assert.equal((await refusal(secure, '/', { origin: 'https://evil.example' })).status, 403);
    assert.equal((await refusal(secure, '/room/a%2Fb')).status, 400);
    await leave(await connect(secure, '/', { origin: 'https://a.example' }));
  });

/* --- channels ----------------------------------------------------------------------------------------------------- */

tlsTest('pusher-js over wss and ws share channels with a backend over https', { args: appArgs() },
  async (server, secure) => {
    const [wss, ws] = [secure, server].map((one, i) => pusherClient(one, {
      member: { user_id: `u${i}`, user_info: { i } }, user: { id: `u${i}` },
    }));
    for (const name of ['news', 'private-a', 'private-encrypted-a', 'cache-a', 'presence-a']) {
      const channels = [await subscribe(wss, name), await subscribe(ws, name)];
      const heard = channels.map((channel) => listen(channel, 'ev'));
      for (const [i, one] of [secure, server].entries()) {
        await backend(one).trigger(name, 'ev', { i });
        for (const inbox of heard) assert.deepEqual(await inbox.next(), { i });
      }
    }
    const [mine, theirs] = [wss.channel('private-a'), ws.channel('private-a')];
    const heard = listen(theirs, 'client-hello');
    mine.trigger('client-hello', { from: 'wss' });
    assert.deepEqual(await heard.next(), { from: 'wss' });
    const { users } = await ask(secure, '/channels/presence-a/users');
    assert.deepEqual(users.map(({ id }) => id).sort(), ['u0', 'u1']);
    await signIn(wss);
    const toUser = listen(wss.user, 'hello');
    await backend(secure).sendToUser('u0', 'hello', 'you');
    assert.equal(await toUser.next(), 'you');

    const formerId = wss.connection.socket_id;
    socketOf(wss).destroy();
    await reconnected(wss, formerId);
    await until(() => wss.channel('news').subscribed, 'the subscription after a reconnect');
  });

const SECURE_APP = { id: '2002', key: 'key-of-secure', secret: 's2' };

tlsTest('an app with tls_only: 4000 on ws, fine on wss', { args: appArgs('tls_only=yes', SECURE_APP) },
  async (server, secure) => {
    const path = `/app/${SECURE_APP.key}?protocol=7`;
    assert.equal((await Peer.refused(server, path)).code, 4000);
    await (await Peer.open(secure, { app: SECURE_APP })).leave();
    const client = pusherClient(server, { app: SECURE_APP, wssPort: secure.port });
    const errors = listen(client.connection, 'error');
    assert.equal(errorCode(await errors.next()), 4000);
    await untilState(client, 'connected');    /* it came again, with TLS */
    const channel = await subscribe(client, 'news');
    const heard = listen(channel, 'ev');
    await backend(secure, SECURE_APP).trigger('news', 'ev', 1);
    assert.equal(await heard.next(), 1);
  });

for (const broadcaster of ['reverb', 'pusher']) {
  tlsTest(`Laravel Echo as ${broadcaster} over wss`, { args: appArgs() }, async (server, secure) => {
    const echoes = [1, 2].map((id) => new Echo({
      broadcaster, key: APP.key, Pusher, cluster: 'mt1', wsHost: '127.0.0.1', wsPort: server.port,
      wssPort: secure.port, forceTLS: true, enabledTransports: ['ws', 'wss'],
      authorizer: ({ name }) => ({
        authorize: (socketId, done) => done(null, endpointAnswer(socketId, name, { user_id: id, user_info: { id } })),
      }),
    }));
    atEnd(() => echoes.forEach((echo) => echo.disconnect()));
    const inboxes = { shipped: new Inbox(), typing: new Inbox(), here: new Inbox(), joining: new Inbox() };
    const orders = echoes[0].private('orders').listen('OrderShipped', (data) => inboxes.shipped.put(data))
      .listenForWhisper('typing', (data) => inboxes.typing.put(data));
    await within(new Promise((resolve) => { orders.subscribed(resolve); }), 'a subscription');
    await backend(secure).trigger('private-orders', 'App\\Events\\OrderShipped', { id: 7 });
    assert.deepEqual(await inboxes.shipped.next(), { id: 7 });
    echoes[0].join('room').here((users) => inboxes.here.put(users)).joining((user) => inboxes.joining.put(user));
    assert.deepEqual(await inboxes.here.next(), [{ id: 1 }]);
    echoes[1].join('room');
    assert.deepEqual(await inboxes.joining.next(), { id: 2 });
    const whispering = echoes[1].private('orders');
    await within(new Promise((resolve) => { whispering.subscribed(resolve); }), 'a subscription');
    whispering.whisper('typing', { who: 2 });
    assert.deepEqual(await inboxes.typing.next(), { who: 2 });
    assert.equal((await counters(server)).tls_failed, 0);
  });
}

tlsTest('a backend that keeps its connection has one handshake', { args: appArgs() }, async (server, secure) => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: secure.ca });
  atEnd(() => agent.destroy());
  const peer = await Peer.open(secure);
  await peer.subscribe('tea');
  const sdk = backend(secure, APP, agent);
  for (let i = 0; i < 50; i++) {
    await sdk.trigger('tea', 'ev', `${i}`);
    await peer.expect('ev', 'tea', `${i}`);
  }
  assert.equal((await counters(server)).tls_handshakes, 2);
  await peer.leave();
});

/* --- Chromium ----------------------------------------------------------------------------------------------------- */

let browser;
before(async () => { browser = await launchBrowser('--ignore-certificate-errors'); }, { timeout: 30_000 });
after(() => browser.close());

tlsTest('two windows chat over https, and with one over http', {}, async (server, secure) => {
  try {
    const anna = await openChat(browser, secure.url, { name: 'Anna' });
    const ben = await openChat(browser, secure.url, { name: 'Ben' });
    const cleo = await openChat(browser, server.url, { name: 'Cleo' });
    await send(anna, 'Is anybody here?');
    for (const page of [ben, cleo]) assert.equal((await messageOf(page, 'Is anybody here?')).sender, 'Anna');
    await send(cleo, 'Yes: me.\nAnd שלום 🎉');
    for (const page of [anna, ben]) assert.equal((await messageOf(page, 'Yes: me.\nAnd שלום 🎉')).sender, 'Cleo');
    await send(ben, 'z'.repeat(5000));
    assert.equal((await messageOf(anna, 'z'.repeat(5000))).sender, 'Ben');
    assert.deepEqual([anna, ben, cleo].flatMap((page) => page.problems), []);
  } finally {
    await Promise.all(browser.contexts().map((context) => context.close()));
  }
  await untilNobody(server);
});
