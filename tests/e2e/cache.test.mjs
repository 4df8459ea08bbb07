/* tests/e2e/cache.test.mjs - cache channels: newcomers get the last event that a backend published. */

import assert from 'node:assert/strict';
import { sleep, until } from './support.mjs';
import { ask, backend, call, channelTest, listen, openPeers, Peer, pusherClient, subscribe } from './channels.mjs';

const NAMES = ['cache-a', 'private-cache-a', 'presence-cache-a'];
const ANN = { member: { user_id: '42' } };

channelTest('who comes first is told that there is nothing', {}, async (server) => {
  const [peer, client] = [await Peer.open(server), pusherClient(server, ANN)];
  for (const name of NAMES) {
    await peer.subscribe(name, name.startsWith('presence-') ? ANN : {});
    await peer.expect('pusher:cache_miss', name, '{}');
    const missed = listen(client.subscribe(name), 'pusher:cache_miss');
    await missed.next();
    await peer.expectQuiet();
  }
});

channelTest('who comes later gets the last event', {}, async (server) => {
  const peer = await Peer.open(server);
  for (const name of NAMES) {
    await peer.subscribe(name, name.startsWith('presence-') ? ANN : {});
    await peer.expect('pusher:cache_miss', name, '{}');
    for (const number of [1, 2, 3]) {
      await backend(server).trigger(name, `ev-${number}`, { number });
      await peer.expect(`ev-${number}`, name, { number });
    }
    const late = await Peer.open(server);
    await late.subscribe(name, name.startsWith('presence-') ? ANN : {});
    await late.expect('ev-3', name, { number: 3 });
    await late.expectQuiet();
    const client = pusherClient(server, ANN);
    const channel = client.subscribe(name);
    const [heard, missed] = [listen(channel, 'ev-3'), listen(channel, 'pusher:cache_miss')];
    assert.deepEqual(await heard.next(), { number: 3 });
    assert.equal(missed.count, 0);
    client.disconnect();
    await late.leave();
  }
});

channelTest('the last event outlives its hearers, and needs none', {}, async (server) => {
  await backend(server).trigger('cache-a', 'ev', 'unheard');
  for (let round = 0; round < 3; round++) {
    const peers = await openPeers(server, 3);
    for (const peer of peers) {
      await peer.subscribe('cache-a');
      await peer.expect('ev', 'cache-a', 'unheard');
    }
    for (const peer of peers) await peer.leave();
    await until(async () => !(await ask(server, '/channels/cache-a')).occupied, 'nobody to be left');
    assert.deepEqual((await ask(server, '/channels')).channels, {}, 'remembered, but not occupied');
  }
});

channelTest('the last event is forgotten in time', { settings: 'cache_ms=1s' }, async (server) => {
  await backend(server).trigger('cache-a', 'ev', 'soon gone');
  await until(async () => {
    const peer = await Peer.open(server);
    await peer.subscribe('cache-a');
    const { event } = await peer.next('the cached event or a miss');
    await peer.leave();
    return event === 'pusher:cache_miss';
  }, 'a miss');
  await until(async () => (await ask(server, '/channels/cache-a', { info: 'cache' })).cache === null, 'no cache');
  await backend(server).trigger('cache-a', 'ev', 'new');
  const peer = await Peer.open(server);
  await peer.subscribe('cache-a');
  await peer.expect('ev', 'cache-a', 'new');
});

channelTest('an event in time begins the time anew', { settings: 'cache_ms=3s' }, async (server) => {
  const begin = Date.now();
  for (let i = 0; Date.now() < begin + 4000; i++) {
    await backend(server).trigger('cache-a', 'ev', i);
    const peer = await Peer.open(server);
    await peer.subscribe('cache-a');
    await peer.expect('ev', 'cache-a', `${i}`);
    await peer.leave();
    await sleep(100);
  }
});

channelTest('only what backends publish is remembered', {}, async (server) => {
  const [anna, ben] = await openPeers(server, 2);
  for (const peer of [anna, ben]) {
    await peer.subscribe('presence-cache-a', { member: { user_id: peer.socketId } });
    await peer.expect('pusher:cache_miss', 'presence-cache-a', '{}');
  }
  assert.equal((await anna.next()).event, 'pusher_internal:member_added');
  anna.send('client-ev', {}, 'presence-cache-a');
  assert.equal((await ben.next()).event, 'client-ev');
  const cleo = await Peer.open(server);
  await cleo.subscribe('presence-cache-a', { member: { user_id: 'cleo' } });
  await cleo.expect('pusher:cache_miss', 'presence-cache-a', '{}');
});

channelTest('who is left out of an event is not left out of the cache', {}, async (server) => {
  const [anna, ben] = await openPeers(server, 2);
  for (const peer of [anna, ben]) {
    await peer.subscribe('cache-a');
    await peer.expect('pusher:cache_miss', 'cache-a', '{}');
  }
  await backend(server).trigger('cache-a', 'ev', 'but Anna', { socket_id: anna.socketId });
  await ben.expect('ev', 'cache-a', 'but Anna');
  anna.send('pusher:unsubscribe', { channel: 'cache-a' });
  await anna.subscribe('cache-a');
  await anna.expect('ev', 'cache-a', 'but Anna');
});

channelTest('events in a batch and of any size are remembered', {}, async (server) => {
  const large = 'ü'.repeat(5120);
  const batch = [['cache-a', 'a1'], ['cache-b', 'b1'], ['cache-a', large], ['tea', 'x'], ['cache-c', '']];
  const items = batch.map(([channel, data]) => ({ name: 'ev', channel, data }));
  assert.equal((await call(server, 'POST', '/batch_events', { body: { batch: items } })).status, 200);
  const client = pusherClient(server);
  for (const [name, data] of [['cache-a', large], ['cache-b', 'b1'], ['cache-c', '']]) {
    assert.equal(await listen(client.subscribe(name), 'ev').next(), data);
  }
  await subscribe(client, 'tea');
});

channelTest('the cache can be asked for', {}, async (server) => {
  assert.deepEqual(await ask(server, '/channels/cache-a', { info: 'cache' }), { occupied: false, cache: null });
  await backend(server).trigger('cache-a', 'ev', { a: 1 });
  const peer = await Peer.open(server);
  await peer.subscribe('cache-a');
  await peer.expect('ev', 'cache-a', { a: 1 });
  const { occupied, subscription_count: count, cache } = await ask(server, '/channels/cache-a',
    { info: 'cache,subscription_count' });
  assert.deepEqual([occupied, count, cache.data], [true, 1, '{"a":1}']);
  assert.ok(cache.ttl > 1700 && cache.ttl <= 1800, `${cache.ttl}`);
  await backend(server).trigger(NAMES.slice(0, 2), 'ev', 'x');
  assert.equal((await ask(server, '/channels/private-cache-a', { info: 'cache' })).cache.data, 'x');
});

channelTest('newcomers and events in a race: each sees the last event once or more, never an older one after it', {},
  async (server) => {
    let last = 0;
    let isOver = false;
    const publishing = (async () => {
      for (; !isOver; last++) await backend(server).trigger('cache-race', 'ev', `${last + 1}`);
      await backend(server).trigger('cache-race', 'end', 'end');
    })();
    await until(() => last > 0, 'the first event');
    const peers = await openPeers(server, 60);
    await Promise.all(peers.map((peer) => peer.subscribe('cache-race')));
    isOver = true;
    await publishing;
    for (const peer of peers) {
      let former = 0;
      for (let frame = await peer.next(); frame.event !== 'end'; frame = await peer.next()) {
        assert.equal(frame.event, 'ev', 'no miss');
        assert.ok(former === 0 || Number(frame.data) === former + 1, `${frame.data} after ${former}`);
        former = Number(frame.data);
      }
    }
  });
