/* tests/e2e/cluster.test.mjs - two servers on one Redis are one service: what is said on one is heard on the other, in
 * one order, once, and can be asked for on both. Each test has a channel of its own on the same two nodes. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import WebSocket from 'ws';
import { APP, endpointAnswer, listen, Peer, pusherClient, signIn, subscribe, webhookReceiver } from './channels.mjs';
import { startNodes } from './cluster_nodes.mjs';
import { Backend, Follower } from './kept.mjs';
import { closeAll, inboxOf, newClient } from './mock_ringcast.mjs';
import { startRedis } from './redis.mjs';
import { assertQuiet, connect, leave, runClosers, until } from './support.mjs';

const TEST_MS = 120_000;
const SETTINGS = 'client_events=yes client_events_per_second=100000 cache_ms=60s';
const ARGS = [
  '--redis-publish-ms-max', '500ms', '--redis-silent-ms-max', '1s',
  '--history', 'cache-* ttl=60s', '--history', '*-kept* size=200 ttl=300s client_events=yes', '--lobby-echo'];

let redis;
let nodes;
let backends;
let webhooks;

function clusterTest(title, body) {
  test(title, { timeout: TEST_MS }, async () => {
    try {
      await body(nodes);
    } finally {
      closeAll();
      for (const client of clients.splice(0)) client.disconnect();
    }
  });
}

const clients = [];

/* Of pusher-js, until the test is over. */
function newPusher(node, options) {
  const client = pusherClient(node, options);
  clients.push(client);
  return client;
}

const numbers = (count, from = 1) => Array.from({ length: count }, (_, i) => String(from + i));

/* What came of a channel, as its frames tell: by plain connection. */
async function readers(channel, options) {
  return Promise.all(nodes.map(async (node) => {
    const peer = await Peer.open(node);
    await peer.subscribe(channel, options);
    return peer;
  }));
}

async function take(peer, count) {
  const frames = [];
  while (frames.length < count) frames.push(await peer.next(`message ${frames.length + 1} of ${count}`));
  return frames.map(({ data, offset }) => (offset === undefined ? data : `${offset}:${data}`));
}

async function webhookOf(channel) {
  for (;;) {
    const event = await webhooks.events.next(`a webhook of ${channel}`);
    if (event.channel === channel) return event;
  }
}

before(async () => {
  redis = await startRedis();
  webhooks = await webhookReceiver();
  const settings = `${SETTINGS} webhook=${webhooks.url} webhook_events=client_event,room_message`;
  nodes = await startNodes(redis, 2, ARGS, settings);
  backends = nodes.map((node) => new Backend(node));
});

after(async () => {
  for (const backend of backends) backend.close();
  for (const node of nodes) {
    const { end, stderr } = await node.stop();
    assert.deepEqual(end, { code: 0, signal: null }, stderr);
    assertQuiet(stderr);
  }
  runClosers();
});

describe('two nodes', () => {
  clusterTest('what backends publish is heard on both, in one order', async () => {
    const channel = 'a-kept-1';
    const peers = await readers(channel, { recover: true });
    const positions = await Promise.all(numbers(60).map((data, i) => backends[i % 2].publish(channel, data)));
    const heard = await Promise.all(peers.map((peer) => take(peer, 60)));
    assert.deepEqual(heard[0], heard[1]);
    const told = positions.map(({ offset }, i) => `${offset}:${i + 1}`);
    assert.deepEqual(told.toSorted(), heard[0].toSorted(), 'each publisher knows where its message stands');
    assert.equal(new Set(positions.map(({ epoch }) => epoch)).size, 1);
    await Promise.all(peers.map((peer) => peer.leave()));
  });

  clusterTest('pusher-js on both: client events, but for their own sender', async () => {
    const channel = 'private-2';
    const four = nodes.flatMap((node) => [newPusher(node), newPusher(node)]);
    const channels = await Promise.all(four.map((client) => subscribe(client, channel)));
    const inboxes = channels.map((each) => listen(each, 'client-x'));
    channels.forEach((each, i) => each.trigger('client-x', { i }));
    const heard = await Promise.all(inboxes.map((inbox) => inbox.take(3, 'what the other three say')));
    heard.forEach((events, i) => {
      assert.deepEqual(events.map((event) => event.i).toSorted(), [0, 1, 2, 3].filter((other) => other !== i));
    });
    const last = await backends[1].call('POST', '/events', {
      body: { name: 'client-x', channel, data: '"end"', socket_id: four[0].connection.socket_id } });
    assert.equal(last.status, 200);
    assert.equal(await inboxes[3].next(), 'end');
    await backends[0].publish(channel, '"beyond"', { name: 'client-x' });
    assert.equal(await inboxes[0].next(), 'beyond', 'a backend on the other node has left this socket out');
  });

  clusterTest('raw rooms: text and bytes, with an echo on one\'s own node', async () => {
    const [one, two] = await Promise.all(nodes.map((node) => connect(node, '/room/b-3')));
    one.send('hello');
    assert.equal(await two.inbox.next(), 'hello');
    assert.equal(await one.inbox.next(), 'hello');
    two.send(Buffer.from([0, 255, 7]));
    for (const each of [one, two]) assert.deepEqual(await each.inbox.next(), Buffer.from([0, 255, 7]));
    await leave(one, two);
  });

  clusterTest('a room has readers of both kinds on both nodes, and a history', async () => {
    const room = 'r-kept-4';
    const peers = await readers(room);
    const raw = await Promise.all(nodes.map((node) => connect(node, `/room/${room}`)));
    raw[0].send('one');
    for (const peer of peers) {
      const { event, data, offset } = await peer.next();
      assert.deepEqual([event, data, offset], ['message', 'one', 1]);
    }
    for (const each of raw) assert.equal(await each.inbox.next(), 'one');
    const told = await webhookOf(room);
    assert.deepEqual([told.name, told.offset], ['room_message', 1]);
    await Promise.all(peers.map((peer) => peer.leave()));
    await leave(...raw);
  });

  clusterTest('who comes back on the other node gets all it missed', async () => {
    const channel = 'c-kept-5';
    const follower = new Follower('ann', [channel]);
    await follower.open(nodes[0]);
    await backends[1].publish(channel, '1');
    await follower.untilAt(channel, 1);
    follower.cut();
    for (const data of numbers(30, 2)) await backends[Number(data) % 2].publish(channel, data);
    await follower.open(nodes[1]);
    await follower.untilAt(channel, 31);
    follower.cut();
    for (const data of numbers(5, 32)) await backends[0].publish(channel, data);
    await follower.open(nodes[0]);
    await follower.untilAt(channel, 36);
    assert.deepEqual(follower.got.get(channel).map(({ data }) => data), numbers(36));
    assert.deepEqual(follower.problems, []);
    follower.cut();
  });

  clusterTest('pages of history are the same on both, also where nobody reads', async () => {
    const channel = 'd-kept-6';
    for (const data of numbers(25)) await backends[0].publish(channel, data);
    const [one, two] = await Promise.all(backends.map((backend) => backend.history(channel)));
    assert.deepEqual(one, two);
    assert.deepEqual(one.items.map(({ data }) => data), numbers(25));
    const peers = await readers(channel);
    await backends[1].publish(channel, '26');
    await Promise.all(peers.map((peer) => take(peer, 1)));
    for (const backend of backends) {
      const page = await backend.page(channel, { since: 10, limit: 3 });
      assert.deepEqual([page.items.map(({ offset }) => offset), page.more, page.complete], [[11, 12, 13], true, true]);
      const newest = await backend.page(channel, { limit: 2 });
      assert.deepEqual(newest.items.map(({ offset }) => offset), [25, 26]);
    }
    await Promise.all(peers.map((peer) => peer.leave()));
  });

  clusterTest('a key counts on both nodes', async () => {
    for (const channel of ['e-kept-7', 'e-plain-7']) {
      const peers = await readers(channel);
      const key = `key of ${channel}`;
      const first = await backends[0].publish(channel, '1', { key });
      assert.deepEqual(await backends[1].publish(channel, '1', { key }), first);
      const both = await Promise.all(backends.map((backend) => backend.publish(channel, '2', { key: `${key} 2` })));
      assert.deepEqual(both[0], both[1]);
      await backends[0].publish(channel, '3');
      for (const peer of peers) {
        assert.deepEqual((await take(peer, 3)).map((text) => text.replace(/^\d+:/, '')), ['1', '2', '3']);
      }
      await Promise.all(peers.map((peer) => peer.leave()));
    }
  });

  clusterTest('a cache channel has one last event', async () => {
    const channel = 'cache-8';
    const send = async (data) => {
      const { status } = await backends[0].call('POST', '/events', { body: { name: 'ev', channel, data } });
      assert.equal(status, 200);
    };
    await send('old');
    const first = await Peer.open(nodes[1]);
    await first.subscribe(channel);
    assert.equal((await first.next()).data, 'old');
    await send('new');
    assert.equal((await first.next()).data, 'new');
    for (const node of nodes) {
      const peer = await Peer.open(node);
      await peer.subscribe(channel);
      assert.equal((await peer.next()).data, 'new');
      await peer.leave();
    }
    await first.leave();
  });

  clusterTest('a user is told wherever it is, and webhooks tell of a client event once', async () => {
    const client = newPusher(nodes[0], { user: { id: 'ann-9' } });
    const told = listen(client.user, 'hello');
    await signIn(client);
    const answer = await backends[1].call('POST', '/events', {
      body: { name: 'hello', channel: '#server-to-user-ann-9', data: '{"a":1}' } });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.deepEqual(await told.next(), { a: 1 });
    const channels = await Promise.all([client, newPusher(nodes[1])].map((each) => subscribe(each, 'private-9')));
    const inbox = listen(channels[1], 'client-y');
    channels[0].trigger('client-y', { n: 1 });
    assert.deepEqual(await inbox.next(), { n: 1 });
    const event = await webhookOf('private-9');
    assert.deepEqual([event.name, event.event, webhooks.events.count], ['client_event', 'client-y', 0]);
  });

  clusterTest('ringcast.js publishes with acknowledgement, moves to the other node, and misses nothing', async () => {
    const name = 'private-kept-10';
    const open = (node, id) => {
      const client = newClient(`ws://127.0.0.1:${node.port}`, {
        key: APP.key, WebSocket,
        authorize: async ({ socketId, channel }) => endpointAnswer(socketId, channel, { user_id: id }) });
      client.connect();
      const channel = client.subscribe(name);
      return { client, channel, inbox: inboxOf(channel, 'event', 'gap', 'error') };
    };
    const [ann, ben] = [open(nodes[0], 'ann'), open(nodes[1], 'ben')];
    await until(() => [ann, ben].every(({ channel }) => channel.state === 'subscribed'), 'both to be in');
    const { offset, epoch } = await ann.channel.publish('client-say', { n: 1 });
    const [what, event] = await ben.inbox.next();
    assert.deepEqual([what, JSON.parse(event.data), event.offset, event.epoch], ['event', { n: 1 }, offset, epoch]);
    const page = await ben.channel.history({ limit: 1 });
    assert.deepEqual(page.items.map((item) => item.offset), [offset]);
    await ben.channel.publish('client-say', { n: 2 });
    assert.equal((await ann.inbox.next())[1].offset, offset + 1);
  });

  clusterTest('a batch is published on both', async () => {
    const peers = await readers('f-kept-11');
    const batch = numbers(10).map((data) => ({ name: 'ev', channel: 'f-kept-11', data }));
    assert.equal((await backends[1].call('POST', '/batch_events', { body: { batch } })).status, 200);
    for (const peer of peers) assert.deepEqual(await take(peer, 10), numbers(10).map((n) => `${n}:${n}`));
    await Promise.all(peers.map((peer) => peer.leave()));
  });

  clusterTest('while Redis stands still publishers are told and readers stay; then nothing comes twice', async () => {
    const channel = 'private-kept-13';
    const [one, two] = await readers(channel, { recover: true });
    redis.freeze();
    const body = { name: 'ev', channel, data: 'late', idempotency_key: 'key 13' };
    one.send('client-x', { n: 1 }, channel);
    const answer = await backends[0].call('POST', '/events', { body });
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1'], answer.body);
    await one.expectError(4301, /could not be published/);
    redis.thaw();
    const { offset } = await backends[1].publish(channel, 'late', { key: 'key 13' });
    assert.equal(offset, 1, 'neither of the others was published');
    await backends[0].publish(channel, 'next', { key: 'key 13 b' });
    for (const peer of [one, two]) {
      const events = [];
      while (events.at(-1)?.data !== 'next') events.push(await peer.next());
      assert.deepEqual(events.filter(({ event }) => event === 'ev').map(({ data }) => data), ['late', 'next']);
      await peer.leave();
    }
  });

  clusterTest('when Redis has forgotten a channel, its readers are told, and it begins anew', async () => {
    const channel = 'g-kept-12';
    const peers = await readers(channel, { recover: true });
    const first = await backends[0].publish(channel, '1');
    await Promise.all(peers.map((peer) => take(peer, 1)));
    const client = await redis.connect();
    await client.call('FLUSHALL');
    const second = await backends[1].publish(channel, '2');
    assert.notEqual(second.epoch, first.epoch);
    for (const peer of peers) {
      const frames = [await peer.next(), await peer.next()];
      assert.deepEqual(frames.map(({ event }) => event), ['pusher_internal:ringcast_position', 'ev']);
      const { recovered, epoch } = JSON.parse(frames[0].data);
      assert.equal(recovered, false);
      assert.ok(epoch === second.epoch || epoch === undefined, 'the new position, if there was one already');
      assert.deepEqual([frames[1].data, frames[1].offset], ['2', 1]);
    }
    await client.close?.();
    await Promise.all(peers.map((peer) => peer.leave()));
  });
});
