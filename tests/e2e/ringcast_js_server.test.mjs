/* tests/e2e/ringcast_js_server.test.mjs - the client server/web/ringcast.js against the server. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe } from 'node:test';
import WebSocket from 'ws';
import { Ringcast } from '../../server/web/ringcast.js';
import { atEnd, connect, Inbox, randomFrom, SEED, serverTest, until } from './support.mjs';
import { startServer } from './server.mjs';
import { APP, appArgs, backend, endpointAnswer, userAuth } from './channels.mjs';
import { closeAll, inboxOf, newClient, ROOM, stateOf, TEA } from './mock_ringcast.mjs';

/* --- against the server ------------------------------------------------------------------------------------------- */

const HISTORY = ['--history', '* client_events=yes'];
const LIVE = [...appArgs('client_events_per_second=100000'), '--shards', '2'];

function liveTest(title, args, body) {
  serverTest(title, [...LIVE, ...args], (server) => {
    atEnd(closeAll);
    return body(server);
  });
}

/* A client that is `id` everywhere; cut() ends its connection without a word. */
function liveClient({ port }, id, options = {}) {
  let socket;
  class Noted extends WebSocket {
    constructor(url) {
      super(url);
      socket = this;
    }
  }
  const client = newClient(`ws://127.0.0.1:${port}`, {
    key: APP.key, WebSocket: Noted,
    authorize: async ({ socketId, channel }) => endpointAnswer(socketId, channel, { user_id: id, user_info: { id } }),
    ...options,
  });
  client.cut = () => socket.terminate();
  client.connect();
  return client;
}

/* Resolves to the channel and its inbox of what happens from now on. */
async function liveChannel(client, name, options) {
  const channel = client.subscribe(name, options);
  const inbox = inboxOf(channel, 'event', 'gap', 'error');
  await until(() => channel.state !== 'subscribing', name);
  return { channel, inbox };
}

describe('the server', () => {
  liveTest('lets in who has permission, to each kind of channel', [], async (server) => {
    const [ann, ben] = [liveClient(server, 'ann'), liveClient(server, 'ben')];
    const { channel: annas, inbox: annHears } = await liveChannel(ann, ROOM);
    const changes = inboxOf(annas, 'join', 'leave');
    const { channel: bens } = await liveChannel(ben, ROOM);
    assert.deepEqual(await changes.next(), ['join', { id: 'ben', info: { id: 'ben' } }]);
    assert.deepEqual([[...bens.members.keys()].sort(), bens.myId, bens.position], [['ann', 'ben'], 'ben', null]);
    assert.equal(bens.trigger('client-typing', { a: 1 }), true);
    const [, typing] = await annHears.next();
    assert.deepEqual([typing.name, typing.json, typing.userId], ['client-typing', { a: 1 }, 'ben']);
    assert.equal(typing.offset, null);
    bens.unsubscribe();
    assert.equal((await changes.next())[0], 'leave');
    assert.equal((await liveChannel(ben, ROOM)).channel.members.size, 2);
    for (const name of ['tea', TEA]) {
      const { inbox } = await liveChannel(ann, name);
      await backend(server).trigger(name, 'greeting', 'hello');
      assert.equal((await inbox.next())[1].data, 'hello');
    }
    await assert.rejects(annas.history(), { code: 404 });
  });

  liveTest('refuses others', [], async (server) => {
    const stranger = liveClient(server, 'x', { authorize: async () => ({ auth: `${APP.key}:${'0'.repeat(64)}` }) });
    assert.equal((await liveChannel(stranger, TEA)).channel.state, 'refused');
    assert.equal((await liveChannel(stranger, 'tea')).channel.state, 'subscribed');
    const lost = liveClient(server, 'x', { key: 'unknown' });
    assert.equal((await stateOf(lost, 'failed')).code, 4001);
  });

  liveTest('signs in, and sends to the user', [], async (server) => {
    const user_data = '{"id":"u1"}';
    await backend(server).terminateUserConnections('u1');    /* who is not there yet is not kept out */
    const client = liveClient(server, 'u1', {
      signIn: async ({ socketId }) => ({ auth: userAuth(socketId, user_data), user_data }),
    });
    const hears = inboxOf(client.user, 'event');
    for (let i = 0; i < 2; i++) {
      await until(() => client.user.state === 'subscribed', 'the channel of the user');
      await backend(server).sendToUser('u1', 'hello', { i });
      assert.deepEqual((await hears.next())[1].json, { i });
      client.cut();
      await stateOf(client, 'waiting');
    }
    await assert.rejects(client.user.publish('client-a', ''), { name: 'RingcastError' });
    await assert.rejects(client.user.history(), { code: 404 });
    await until(() => client.user.state === 'subscribed', 'the channel of the user');
    await backend(server).terminateUserConnections('u1');
    assert.equal((await stateOf(client, 'failed')).code, 4009);
  });

  liveTest('stops and comes back', [], async (server) => {
    const client = liveClient(server, 'ann');
    const { channel } = await liveChannel(client, TEA);
    const again = inboxOf(channel, 'subscribed');
    assert.equal((await server.stop()).code, 0);
    assert.equal((await stateOf(client, 'waiting')).code, 4100);
    const second = await startServer(LIVE, { port: server.port });
    assert.deepEqual((await again.next())[1], { isFirst: false, recovered: null, position: null });
    client.close();
    await second.stop();
    return server.ended;
  });
});

describe('the server with history', () => {
  liveTest('answers all that is asked of it', HISTORY, async (server) => {
    const client = liveClient(server, 'ann');
    const [{ channel }, { channel: room }] = [await liveChannel(client, TEA), await liveChannel(client, 'tea')];
    const text = 'cut \ud83d';
    await Promise.all([text, { text }].map((data) => channel.publish('client-a', data)));
    await room.publishToRoom(text);
    assert.deepEqual((await channel.history()).items.map(({ data }) => data), ['cut \ufffd', '{"text":"cut \ufffd"}']);
    assert.equal((await room.history()).items[0].data, 'cut \ufffd');
    for (const id of ['x'.repeat(64), 'ä'.repeat(32), ' ', '"\\\u0080']) {
      assert.equal((await channel.publish('client-a', '', { id })).id, id);
    }
    for (const asked of [{ limit: 1 }, { before: 1 }, { since: 0 }, { limit: Number.MAX_SAFE_INTEGER }]) {
      await channel.history(asked);
    }
    await assert.rejects(channel.publish('client-'.padEnd(201, 'x'), ''), { code: 4301 });
    await assert.rejects(room.publish('client-a', ''), { code: 403 });
    await assert.rejects(channel.publishToRoom(''), { code: 403 });
    assert.equal(client.state.name, 'open');
  });

  liveTest('is left while it stands still, and what was sent is published once after that', HISTORY, async (server) => {
    const [ann, ben] = [liveClient(server, 'ann'), liveClient(server, 'ben')];
    const [{ channel }, { inbox }] = [await liveChannel(ann, TEA), await liveChannel(ben, TEA)];
    ann._options.pongTimeoutMs = 20;
    process.kill(server.pid, 'SIGSTOP');
    atEnd(() => process.kill(server.pid, 'SIGCONT'));
    const results = ['1', '2'].map((data) => channel.publish('client-msg', data));
    assert.equal((await stateOf(ann, 'waiting')).code, 1006);
    ann._options.pongTimeoutMs = 10_000;
    process.kill(server.pid, 'SIGCONT');
    await Promise.all(results);
    assert.deepEqual((await inbox.take(2)).map(([, { data }]) => data), ['1', '2']);
    assert.equal((await channel.history()).items.length, 2);
  });

  liveTest('keeps what is published, and replays what was missed', HISTORY, async (server) => {
    const [ann, ben] = [liveClient(server, 'ann'), liveClient(server, 'ben')];
    const { channel: annas } = await liveChannel(ann, ROOM);
    const { channel: bens, inbox } = await liveChannel(ben, ROOM);
    const first = await annas.publish('client-msg', { n: 1 });
    assert.equal(annas.position.offset, first.offset);
    const [, event] = await inbox.next();
    assert.deepEqual([event.json, event.userId, event.offset, event.epoch, event.isReplayed],
      [{ n: 1 }, 'ann', first.offset, first.epoch, false]);
    ben.cut();
    await stateOf(ben, 'waiting');
    const second = await annas.publish('client-msg', { n: 2 });
    assert.deepEqual((await inbox.next())[1].offset, second.offset);
    const { items, more, epoch } = await bens.history({ limit: 1 });
    assert.deepEqual([items.map(({ json }) => json), more, epoch], [[{ n: 2 }], true, first.epoch]);
    const before = await bens.history({ before: second.offset });
    assert.deepEqual(before.items.map(({ offset, userId, name }) => [offset, userId, name]),
      [[first.offset, 'ann', 'client-msg']]);
    assert.ok(before.items[0].timeMs > 1.6e12);
    const after = await bens.history({ since: first.offset });
    assert.deepEqual(after.items.map(({ offset }) => offset), [second.offset]);
    const late = liveClient(server, 'cleo');
    const { inbox: cleos } = await liveChannel(late, ROOM, { position: { epoch, offset: first.offset } });
    const [, missed] = await cleos.next();
    assert.deepEqual([missed.offset, missed.isReplayed], [second.offset, true]);
  });

  liveTest('publishes one id once', HISTORY, async (server) => {
    const [ann, ben] = [liveClient(server, 'ann'), liveClient(server, 'ben')];
    const [{ channel }, { inbox }] = [await liveChannel(ann, TEA), await liveChannel(ben, TEA)];
    const results = [];
    for (const data of ['1', '1', '2']) results.push(await channel.publish('client-msg', data, { id: data }));
    assert.deepEqual(results[0], results[1]);
    assert.deepEqual((await inbox.take(2)).map(([, { data }]) => data), ['1', '2']);
    await assert.rejects(channel.publish('client-msg', 'x'.repeat(20_000)), { name: 'RingcastError' });
    await channel.publish('client-msg', '3');
    assert.equal((await inbox.next())[1].data, '3');
  });

  liveTest('loses and doubles nothing when connections break', HISTORY, async (server) => {
    const [ann, ben] = [liveClient(server, 'ann'), liveClient(server, 'ben')];
    const [{ channel }, { inbox }] = [await liveChannel(ann, TEA), await liveChannel(ben, TEA)];
    const wanted = Array.from({ length: 30 }, (_, index) => `${index}`);
    const random = randomFrom(SEED);
    const offsets = [];
    for (const data of wanted) {
      const result = channel.publish('client-msg', data);
      for (const client of [ann, ben]) if (random(2) === 0) setImmediate(client.cut);
      offsets.push((await result).offset);
    }
    const events = (await inbox.take(wanted.length)).map(([, event]) => event);
    assert.deepEqual(events.map(({ data }) => data), wanted, `SEED=${SEED}`);
    assert.deepEqual(events.map(({ offset }) => offset), offsets);
  });

  liveTest('a room has the texts of raw clients and of the channel', HISTORY, async (server) => {
    const raw = await connect(server, '/room/tea');
    const [ann, ben] = [liveClient(server, 'ann'), liveClient(server, 'ben')];
    const [{ channel }, { inbox }] = [await liveChannel(ann, 'tea'), await liveChannel(ben, 'tea')];
    const { offset } = await channel.publishToRoom('Ann: hello');
    assert.equal(await raw.inbox.next(), 'Ann: hello');
    const [, event] = await inbox.next();
    assert.deepEqual([event.name, event.data, event.offset], ['message', 'Ann: hello', offset]);
    raw.send('Raw: hello');
    assert.deepEqual((await inbox.next())[1].data, 'Raw: hello');
    assert.deepEqual((await channel.history()).items.map(({ data }) => data), ['Ann: hello', 'Raw: hello']);
  });

  liveTest('says when it keeps what it did not keep before', [], async (server) => {
    const client = liveClient(server, 'ann');
    const { channel, inbox } = await liveChannel(client, TEA);
    assert.equal(channel.position, null);
    await server.stop();
    const second = await startServer([...LIVE, ...HISTORY], { port: server.port });
    const [what, { position }] = await inbox.next();
    assert.equal(what, 'gap');
    assert.deepEqual(position, channel.position);
    assert.deepEqual((await channel.history()).items, []);
    client.close();
    await second.stop();
    return server.ended;
  });

  liveTest('says when a restart has cost it the log', HISTORY, async (server) => {
    const client = liveClient(server, 'ann');
    const { channel, inbox } = await liveChannel(client, TEA);
    const { epoch } = await channel.publish('client-msg', '');
    await server.stop();
    const second = await startServer([...LIVE, ...HISTORY], { port: server.port });
    const [what, { position }] = await inbox.next();
    assert.equal(what, 'gap');
    assert.notEqual(position.epoch, epoch);
    assert.equal((await channel.publish('client-msg', '')).epoch, position.epoch);
    client.close();
    await second.stop();
    return server.ended;
  });
});

/* --- its manual --------------------------------------------------------------------------------------------------- */

const AsyncFunction = (async () => {}).constructor;

/* What the protocol's README shows, run as it stands but for the key, the address and the reader's own functions. */
async function runReadme(server, mine) {
  const readme = readFileSync(new URL('../../server/protocol/README.md', import.meta.url), 'utf8');
  const [, code] = /^```js\nimport { Ringcast } from '\/ringcast\.js';\n(.*?)^```$/ms.exec(readme);
  const names = ['Ringcast', 'postJson', 'show', 'note'];
  const Here = class extends Ringcast {
    constructor(options) {
      super({ ...options, url: `ws://127.0.0.1:${server.port}`, WebSocket });
      atEnd(() => this.close());
    }
  };
  const postJson = async (path, { socket_id: id, channel_name: channel }) => {
    assert.equal(path, '/auth');
    return endpointAnswer(id, channel);
  };
  const run = new AsyncFunction(...names, `${code.replace("'KEY'", `'${APP.key}'`)}; return offset;`);
  return run(Here, postJson, mine.show, mine.note);
}

for (const [kept, args] of [['a', HISTORY], ['no', []]]) {
  liveTest(`the lines of README run on a channel with ${kept} history`, args, async (server) => {
    const [shown, notes, faults] = [new Inbox(), new Inbox(), []];
    globalThis.reportError = (error) => faults.push(error);    /* of listeners; Node has none of its own */
    atEnd(() => { delete globalThis.reportError; });
    const mine = { show: (event) => shown.put(event.json), note: (text) => notes.put(text) };
    const other = liveClient(server, 'other');
    const { channel } = await liveChannel(other, 'private-room');
    if (kept === 'a') await channel.publish('client-msg', { text: 'earlier' });
    assert.equal(await runReadme(server, mine), kept === 'a' ? 2 : null);
    if (kept === 'a') assert.deepEqual(await shown.next('the history'), { text: 'earlier' });
    await channel.publish('client-msg', { text: 'later' });
    await until(async () => JSON.stringify(await shown.next('an event')).includes('later'), 'what comes');
    assert.deepEqual([notes.count, faults], [0, []]);
  });
}
