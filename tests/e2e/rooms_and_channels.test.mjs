/* tests/e2e/rooms_and_channels.test.mjs - a raw room of the first app is the public channel of that name: who speaks
 * plain WebSocket and who speaks the channels protocol meet there. */

import assert from 'node:assert/strict';
import { connect, leave, untilNobody } from './support.mjs';
import {
  appArgs, ask, backend, channelTest, listen, openPeers, OTHER_APP, Peer, pusherClient, subscribe,
} from './channels.mjs';

const TEXTS = ['hello', '', '{"a":1}', '"quoted"', 'two\nlines \\ "q" \u0000', 'שלום 🎉', 'x'.repeat(60_000)];

channelTest('a text in a room reaches the subscribers of the channel', {}, async (server) => {
  const rooms = [['lobby', '/'], ['lobby', '/room/lobby'], ['tea', '/room/tea']];
  for (const [channel, path] of rooms) {
    const [raw, other, peer] = [await connect(server, path), await connect(server, path), await Peer.open(server)];
    await peer.subscribe(channel);
    for (const text of TEXTS) {
      raw.send(text);
      assert.equal(await other.inbox.next(), text);
      await peer.expect('message', channel, text);
    }
    await leave(raw, other);
    await peer.leave();
  }
});

channelTest('pusher-js takes a text of a room for JSON, if it is', {}, async (server) => {
  const [raw, client] = [await connect(server, '/room/tea'), pusherClient(server)];
  const heard = listen(await subscribe(client, 'tea'), 'message');
  for (const [text, becomes] of [['hello', 'hello'], ['123', 123], ['{"a":1}', { a: 1 }], ['{"a"', '{"a"']]) {
    raw.send(text);
    assert.deepEqual(await heard.next(), becomes);
  }
});

channelTest('an event named message reaches a room as a text of its data', {}, async (server) => {
  const [raw, peer] = [await connect(server, '/room/tea'), await Peer.open(server)];
  await peer.subscribe('tea');
  await backend(server).trigger('tea', 'other', 'not for rooms');
  await backend(server).trigger('tea', 'message', 'plain');
  await backend(server).trigger('tea', 'message', { a: 'ü🎉' });
  await backend(server).trigger('tea', 'message', 'with "quotes" \\ \n \u0000');
  assert.equal(await raw.inbox.next(), 'plain');
  assert.equal(await raw.inbox.next(), '{"a":"ü🎉"}');
  assert.equal(await raw.inbox.next(), 'with "quotes" \\ \n \u0000');
  await peer.expect('other', 'tea', 'not for rooms');
  await peer.expect('message', 'tea', 'plain');
});

channelTest('binary messages stay among raw clients', {}, async (server) => {
  const [raw, other] = [await connect(server, '/room/tea'), await connect(server, '/room/tea')];
  const peer = await Peer.open(server);
  await peer.subscribe('tea');
  raw.send(Buffer.from([0, 255]));
  raw.send('text');
  assert.deepEqual(await other.inbox.next(), Buffer.from([0, 255]));
  assert.equal(await other.inbox.next(), 'text');
  await peer.expect('message', 'tea', 'text');
});

channelTest('raw clients count as subscribers, and are told nothing of the protocol',
  { settings: 'subscription_counts=yes' }, async (server) => {
    const raw = await connect(server, '/room/tea');
    assert.deepEqual(await ask(server, '/channels'), { channels: { tea: {} } });
    const peer = await Peer.open(server);
    await peer.subscribe('tea');
    await peer.expect('pusher_internal:subscription_count', 'tea', { subscription_count: 2 });
    assert.deepEqual(await ask(server, '/channels/tea', { info: 'subscription_count' }),
      { occupied: true, subscription_count: 2 });
    const second = await connect(server, '/room/tea');
    await peer.expect('pusher_internal:subscription_count', 'tea', { subscription_count: 3 });
    await leave(second);
    await peer.expect('pusher_internal:subscription_count', 'tea', { subscription_count: 2 });
    await backend(server).trigger('tea', 'message', 'the only thing');
    assert.equal(await raw.inbox.next(), 'the only thing');
    await peer.leave();
    await leave(raw);
    await untilNobody(server);
    assert.deepEqual(await ask(server, '/channels'), { channels: {} });
  });

channelTest('rooms belong to the first app only', { args: appArgs('', OTHER_APP) }, async (server) => {
  const [raw, first] = [await connect(server, '/room/tea'), await Peer.open(server)];
  const other = await Peer.open(server, { app: OTHER_APP });
  for (const peer of [first, other]) await peer.subscribe('tea');
  raw.send('hello');
  await first.expect('message', 'tea', 'hello');
  await backend(server, OTHER_APP).trigger('tea', 'message', 'of the other');
  await other.expect('message', 'tea', 'of the other');
  await backend(server).trigger('tea', 'message', 'of the first');
  assert.equal(await raw.inbox.next(), 'of the first');
});

channelTest('all see one order, whoever speaks', {}, async (server) => {
  const raws = [await connect(server), await connect(server), await connect(server)];
  const peers = await openPeers(server, 4);
  for (const peer of peers) await peer.subscribe('lobby');
  const rounds = 60;
  for (let i = 0; i < rounds; i++) {
    raws[0].send(`raw ${i}`);
    await backend(server).trigger('lobby', 'message', `api ${i}`);
  }
  const texts = await raws[1].inbox.take(2 * rounds);
  assert.deepEqual(await raws[2].inbox.take(2 * rounds), texts);
  for (const peer of peers) {
    const heard = [];
    for (let i = 0; i < 2 * rounds; i++) heard.push((await peer.next()).data);
    assert.deepEqual(heard, texts);
  }
});

channelTest('with --lobby-echo a raw client hears itself', { args: ['--lobby-echo'] }, async (server) => {
  const [raw, peer] = [await connect(server), await Peer.open(server)];
  await peer.subscribe('lobby');
  raw.send('hello');
  assert.equal(await raw.inbox.next(), 'hello');
  await peer.expect('message', 'lobby', 'hello');
  await peer.expectQuiet();
});
