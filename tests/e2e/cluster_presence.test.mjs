/* tests/e2e/cluster_presence.test.mjs - people over several nodes on one Redis: each node tells who is there on all
 * of them, backends hear of each change once, and nobody is left behind by a node that was killed or stopped, nor lost
 * with what Redis had. Each test has nodes and a prefix of its own. */

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { openPeers, Peer, webhookReceiver } from './channels.mjs';
import { Node } from './cluster_nodes.mjs';
import { Backend } from './kept.mjs';
import { startRedis } from './redis.mjs';
import { runClosers, sized, until } from './support.mjs';

const TEST_MS = 240_000;
const LEASE_MS = 6000;
const SETTLED_MS = 3 * LEASE_MS;    /* an upper bound of what is waited for, never waited out */
const CHANNEL = 'presence-a';
const EVENTS = 'webhook_events=channel_occupied,channel_vacated,member_added,member_removed';

let prefixes = 0;

/* What has come into an inbox, in words. */
class Told {
  #inbox;
  #word;
  #words = [];

  constructor(inbox, word) {
    this.#inbox = inbox;
    this.#word = word;
  }

  async words() {
    while (this.#inbox.count > 0) this.#words.push(this.#word(await this.#inbox.next()));
    return this.#words;
  }

  async count(what) { return (await this.words()).filter((one) => one === what).length; }

  /* So often, but not more often. */
  async until(what, times = 1) {
    const isTold = async () => await this.count(what) >= times;
    await until(isTold, `"${what}" to be told ${times} times`, { limit: SETTLED_MS });
    assert.equal(await this.count(what), times, what);
  }
}

/* Nodes on one Redis, a backend at each, and what backends are told: "member_added presence-a ann". */
async function startCluster(redis, count, settings = '') {
  const webhooks = await webhookReceiver();
  const args = ['--redis-prefix', `test${++prefixes}`, '--redis-lease', `${LEASE_MS}ms`, '--webhook-delay-ms', '0'];
  const hooks = `webhook=${webhooks.url} ${EVENTS} ${settings}`;
  const nodes = await Promise.all(Array.from({ length: count }, () => new Node(redis, args, hooks).start()));
  const told = new Told(webhooks.events, ({ name, channel, user_id: user }) =>
    [name, channel, ...(user === undefined ? [] : [user])].join(' '));
  return { nodes, told, backends: nodes.map((node) => new Backend(node)) };
}

async function join(node, user, channel = CHANNEL) {
  const peer = await Peer.open(node);
  peer.user = user;
  peer.members = (await peer.subscribe(channel, { member: { user_id: user, user_info: { name: user } } })).presence;
  return peer;
}

/* "+ann", "-ben": what a member is told from now on. */
const news = (peer) => new Told(peer.client.inbox, (text) => {
  const { event, data } = JSON.parse(text);
  const sign = { 'pusher_internal:member_added': '+', 'pusher_internal:member_removed': '-' }[event];
  return sign === undefined ? event : `${sign}${JSON.parse(data).user_id}`;
});

async function asked(backend, path, params) {
  const { status, body } = await backend.call('GET', path, { params });
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

const users = async (backend, channel = CHANNEL) =>
  (await asked(backend, `/channels/${channel}/users`)).users.map(({ id }) => id).sort();

describe('people over several nodes', { concurrency: true, timeout: TEST_MS }, () => {
  after(runClosers);

  test('each node has all members, numbers and lists', { timeout: TEST_MS }, async () => {
    const redis = await startRedis();
    const { nodes, told, backends } = await startCluster(redis, 3);
    const ann = await join(nodes[0], 'ann');
    const ben = await join(nodes[1], 'ben');
    assert.deepEqual([...ben.members.ids].sort(), ['ann', 'ben']);
    assert.deepEqual(ben.members.hash, { ann: { name: 'ann' }, ben: { name: 'ben' } });
    const seen = news(ann);
    await seen.until('+ben');
    const second = await join(nodes[1], 'ann');
    assert.equal(second.members.count, 2, 'a user is one member on all nodes');
    const room = await Peer.open(nodes[0]);
    await room.subscribe('news');
    for (const backend of backends) {
      await until(async () => {
        const channel = await asked(backend, `/channels/${CHANNEL}`, { info: 'user_count,subscription_count' });
        return channel.user_count === 2 && channel.subscription_count === 3;
      }, 'the same numbers everywhere');
      assert.deepEqual(await users(backend), ['ann', 'ben']);
      const { channels } = await asked(backend, '/channels', { info: 'subscription_count' });
      assert.deepEqual(channels, { [CHANNEL]: { subscription_count: 3 }, news: { subscription_count: 1 } });
      const prefixed = await asked(backend, '/channels', { filter_by_prefix: 'presence-', info: 'user_count' });
      assert.deepEqual(prefixed.channels, { [CHANNEL]: { user_count: 2 } });
    }
    await ann.leave();
    await ben.leave();
    await until(async () => (await users(backends[2])).join() === 'ann', 'ben alone to have gone');
    await second.leave();
    await told.until(`channel_vacated ${CHANNEL}`);
    await told.until(`member_removed ${CHANNEL} ann`);
    const ofChannel = (await told.words()).filter((one) => one.includes(CHANNEL));
    assert.deepEqual(ofChannel.toSorted(), [
      `channel_occupied ${CHANNEL}`, `channel_vacated ${CHANNEL}`, `member_added ${CHANNEL} ann`,
      `member_added ${CHANNEL} ben`, `member_removed ${CHANNEL} ann`, `member_removed ${CHANNEL} ben`], 'each once');
    await room.leave();
    for (const node of nodes) assert.deepEqual((await node.stop()).end, { code: 0, signal: null });
    const probe = await redis.connect();
    const left = (await probe.call('KEYS', '*')).filter((key) => !key.includes(':g:'));
    assert.deepEqual(left, [], 'who stops leaves nothing behind');
  });

  test('a node with other rules than those that run says so', { timeout: TEST_MS }, async () => {
    const redis = await startRedis();
    const args = ['--redis-prefix', 'rules', '--node', 'one', '--history', 'a size=10'];
    await new Node(redis, args).start();
    const other = await new Node(redis, [...args.slice(0, 3), 'other', '--history', 'a size=11']).start();
    const difference = /node one has other apps or rules of history.*size=10 .* is its alone/;
    await until(() => difference.test(other.server.stderr()), 'the difference to be named');
  });

  test('who watches a user hears of all nodes, and a user is disconnected on all', { timeout: TEST_MS }, async () => {
    const redis = await startRedis();
    const { nodes, backends } = await startCluster(redis, 2, 'watchlist=yes');
    const watcher = await Peer.open(nodes[0]);
    const told = async () => JSON.parse((await watcher.next('of a user')).data).events;
    await watcher.signIn({ id: 'watcher', watchlist: ['ann'] });
    assert.deepEqual(await told(), [{ name: 'online', user_ids: [] }, { name: 'offline', user_ids: ['ann'] }]);
    const ann = await Peer.open(nodes[1]);
    await ann.signIn({ id: 'ann' });
    assert.deepEqual(await told(), [{ name: 'online', user_ids: ['ann'] }]);
    const late = await Peer.open(nodes[0]);
    await late.signIn({ id: 'late', watchlist: ['ann'] });
    assert.deepEqual(JSON.parse((await late.next('of a user')).data).events[0], { name: 'online', user_ids: ['ann'] });
    const again = await Peer.open(nodes[0]);
    await again.signIn({ id: 'ann' });
    const { status } = await backends[0].call('POST', '/users/ann/terminate_connections', { body: {} });
    assert.equal(status, 200);
    assert.equal((await ann.expectEnd()).code, 4009);
    assert.equal((await again.expectEnd()).code, 4009);
    assert.deepEqual(await told(), [{ name: 'offline', user_ids: ['ann'] }]);
    await watcher.leave();
    await late.leave();
  });

  test('a node is killed: each of its members leaves once', { timeout: TEST_MS }, async () => {
    const crowd = sized(200, 1000);
    const redis = await startRedis();
    const { nodes, told, backends } = await startCluster(redis, 3);
    const seen = news(await join(nodes[1], 'watcher'));
    const others = news(await join(nodes[2], 'other'));
    const peers = await openPeers(nodes[0], crowd);
    await Promise.all(peers.map((peer, i) =>
      peer.subscribe(CHANNEL, { member: { user_id: `u${i}`, user_info: {} } })));
    for (const list of [seen, others]) {
      await until(async () => (await list.words()).length >= crowd, 'all to be told');
    }
    await until(async () => (await told.words()).length >= crowd + 3, 'backends to be told');
    await nodes[0].kill();
    for (const list of [seen, others]) {
      await until(async () => (await list.words()).length >= 2 * crowd, 'all to have gone', { limit: SETTLED_MS });
    }
    for (let i = 0; i < crowd; i++) {
      for (const list of [seen, others]) assert.equal(await list.count(`-u${i}`), 1, `u${i} leaves once`);
    }
    await until(async () => (await told.words()).length >= 2 * crowd + 3, 'backends to be told');
    for (let i = 0; i < crowd; i++) assert.equal(await told.count(`member_removed ${CHANNEL} u${i}`), 1);
    assert.deepEqual(await users(backends[1]), ['other', 'watcher']);
    await until(async () => {
      const channel = await asked(backends[2], `/channels/${CHANNEL}`, { info: 'subscription_count' });
      return channel.subscription_count === 2;
    }, 'the number to be right', { limit: SETTLED_MS });
  });

  test('a node is stopped beyond its lease: its members leave, and come back', { timeout: TEST_MS }, async () => {
    const redis = await startRedis();
    const { nodes, told } = await startCluster(redis, 2);
    const seen = news(await join(nodes[1], 'watcher'));
    const own = news(await join(nodes[0], 'ann'));
    await seen.until('+ann');
    nodes[0].freeze();
    await seen.until('-ann');
    nodes[0].thaw();
    await seen.until('+ann', 2);
    await told.until(`member_added ${CHANNEL} ann`, 2);
    await told.until(`member_removed ${CHANNEL} ann`);
    assert.equal(await seen.count('-ann'), 1);
    assert.equal(await own.count('-ann'), 0, 'it never went, for who is on its node');
  });

  test('Redis is restarted empty: nobody goes, and all is there again', { timeout: TEST_MS }, async () => {
    const redis = await startRedis();
    const { nodes, told, backends } = await startCluster(redis, 2);
    const ann = news(await join(nodes[0], 'ann')), ben = news(await join(nodes[1], 'ben'));
    await ann.until('+ben');
    await told.until(`channel_occupied ${CHANNEL}`);
    await redis.kill();
    await redis.start({ isEmpty: true });
    const probe = await redis.connect();
    const keys = async () => (await probe.call('KEYS', '*:p:{1001:presence-a}')).length;
    await until(async () => await keys() === 1, 'members to be put back', { limit: SETTLED_MS });
    await until(async () => {
      const answers = await Promise.all(backends.map((backend) => backend.call('GET', `/channels/${CHANNEL}/users`)));
      return answers.every(({ status, body }) => status === 200 && body.users.length === 2);
    }, 'both to be there for both', { limit: SETTLED_MS });
    const cat = await join(nodes[0], 'cat');
    assert.deepEqual([...cat.members.ids].sort(), ['ann', 'ben', 'cat']);
    await ben.until('+cat');
    for (const list of [ann, ben]) {
      assert.deepEqual((await list.words()).filter((one) => one.startsWith('-')), []);
    }
    await told.until(`member_added ${CHANNEL} cat`);
    for (const user of ['ann', 'ben']) {
      assert.equal(await told.count(`member_removed ${CHANNEL} ${user}`), 0);
      assert.equal(await told.count(`member_added ${CHANNEL} ${user}`), 1, 'no news to backends');
    }
    assert.equal(await told.count(`channel_occupied ${CHANNEL}`), 1);
  });
});
