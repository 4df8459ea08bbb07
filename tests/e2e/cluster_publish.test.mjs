/* tests/e2e/cluster_publish.test.mjs - what two nodes publish through one Redis is there once and in one order,
 * whatever happens to the answers; and what is refused is not done, now or later. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP, Peer } from './channels.mjs';
import { health, startNodes } from './cluster_nodes.mjs';
import { Backend } from './kept.mjs';
import { startRedis } from './redis.mjs';
import { assertQuiet, counters, runClosers, sleep, until } from './support.mjs';

const TEST_MS = 60_000;
const CHANNEL = 'kept';
const KEPT = ['--history', 'kept* size=10000'];

function publishTest(title, args, body) {
  test(title, { timeout: TEST_MS }, async () => {
    const redis = await startRedis({ config: ['repl-diskless-sync-delay 0'] });
    const nodes = await startNodes(redis, 2, [...KEPT, ...args]);
    const backends = nodes.map((node) => new Backend(node));
    try {
      await until(() => allUp(nodes), 'both nodes to be connected');
      await body({ redis, nodes, backends });
      for (const backend of backends) backend.close();
      for (const node of nodes) {
        const { end, stderr } = await node.stop();
        assert.deepEqual(end, { code: 0, signal: null });
        assertQuiet(stderr);
      }
    } finally {
      runClosers();
    }
  });
}

async function allUp(nodes) {
  const states = await Promise.all(nodes.map(health));
  return states.every(({ cluster }) => cluster === 'ok');
}

const event = (data, more = {}) => ({ name: 'ev', channel: CHANNEL, data, info: 'position', ...more });

/* One message; resolves to { data, status, offset }. */
async function publish(backend, data, more) {
  const { status, headers, body } = await backend.call('POST', '/events', { body: event(data, more) });
  if (status === 503) assert.equal(headers['retry-after'], '1');
  return { data, status, offset: body.channels?.[CHANNEL]?.offset };
}

/* Publishes by so many at a time at both nodes, until it is stopped; resolves to all answers. */
function publishAlways(backends, perNode) {
  let isOver = false;
  const answers = [];
  const one = async (backend, name) => {
    for (let i = 1; !isOver; i += 1) answers.push(await publish(backend, `${name}-${i}`));
  };
  const all = backends.flatMap((backend, node) =>
    Array.from({ length: perNode }, (_, i) => one(backend, `${node}${i}`)));
  return async () => {
    isOver = true;
    await Promise.all(all);
    return answers;
  };
}

/* What stands in the history: in order, without gap, each once, all that was acknowledged under its number. */
async function judge(backend, answers) {
  const { items } = await backend.history(CHANNEL);
  assert.deepEqual(items.map(({ offset }) => offset), items.map((_, i) => i + 1));
  const places = new Map(items.map(({ data, offset }) => [data, offset]));
  assert.equal(places.size, items.length, 'nothing is there twice');
  for (const { data, status, offset } of answers) {
    if (status === 200) assert.equal(places.get(data), offset, `${data} was acknowledged with ${offset}`);
  }
  return items;
}

async function reader(node) {
  const peer = await Peer.open(node);
  await peer.subscribe(CHANNEL);
  return peer;
}

async function take(peer, items) {
  const got = [];
  while (got.length < items.length) got.push((await peer.next(`message ${got.length + 1}`)).offset);
  assert.deepEqual(got, items.map(({ offset }) => offset));
}

publishTest('what waits together goes in one call, and comes to all in one order', [], async ({ nodes, backends }) => {
  const readers = await Promise.all(nodes.map(reader));
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => publish(backends[i % 2], String(i))));
  assert.ok(answers.every(({ status }) => status === 200));
  const items = await judge(backends[0], answers);
  assert.equal(items.length, 200);
  for (const peer of readers) await take(peer, items);
  const { cluster_calls: calls } = await counters(nodes[0].server);
  assert.ok(calls >= 1 && calls < 100, `100 messages in ${calls} calls`);
});

publishTest('an answer that gets lost with its connection: published once all the same', [], async (all) => {
  const admin = await all.redis.connect();
  const readers = await Promise.all(all.nodes.map(reader));
  const stop = publishAlways(all.backends, 4);
  for (let i = 0; i < 4; i += 1) {
    await sleep(150);
    await admin.call('CLIENT', 'KILL', 'TYPE', i % 2 === 0 ? 'normal' : 'pubsub', 'SKIPME', 'yes');
  }
  const answers = await stop();
  await until(() => allUp(all.nodes), 'both nodes to be connected');
  const items = await judge(all.backends[0], answers);
  assert.ok(answers.every(({ status }) => status === 200), 'nobody had to wait for too long');
  assert.equal(items.length, answers.length);
  for (const peer of readers) await take(peer, items);
});

publishTest('a Redis that stands still for a while does late nothing that is asked again', [], async (all) => {
  const stop = publishAlways(all.backends, 4);
  await sleep(100);
  all.redis.freeze();
  await sleep(1300); /* longer than a call may take */
  all.redis.thaw();
  await sleep(200);
  const answers = await stop();
  assert.ok(answers.every(({ status }) => status === 200));
  const items = await judge(all.backends[1], answers);
  assert.equal(items.length, answers.length);
  const late = (await counters(all.nodes[0].server)).cluster_late + (await counters(all.nodes[1].server)).cluster_late;
  assert.ok(late > 0, 'calls lay in the buffers of Redis until their deadline was over');
});

const IMPATIENT = ['--redis-publish-ms-max', '300ms', '--redis-silent-ms-max', '500ms'];
publishTest('what is refused because Redis is away is not there later', IMPATIENT, async (all) => {
  const { redis, nodes, backends } = all;
  assert.equal((await publish(backends[0], 'before')).status, 200);
  redis.freeze();
  const refused = await Promise.all(Array.from({ length: 20 }, (_, i) => publish(backends[i % 2], `no-${i}`)));
  assert.deepEqual(refused.map(({ status }) => status), refused.map(() => 503));
  redis.thaw();
  await until(() => allUp(nodes), 'both nodes to be connected');
  const after = await publish(backends[1], 'after');
  assert.equal(after.offset, 2);
  const items = await judge(backends[0], [after]);
  assert.deepEqual(items.map(({ data }) => data), ['before', 'after']);
});

publishTest('Redis is full: refused, told with the cure, and over when there is room', [], async (all) => {
  const admin = await all.redis.connect();
  await publish(all.backends[0], 'before');
  await admin.call('CONFIG', 'SET', 'maxmemory', '1mb');
  assert.equal((await publish(all.backends[0], 'no')).status, 503);
  await until(async () => /^Redis is full \(maxmemory\)/.test((await health(all.nodes[0])).cluster), 'the cure');
  await admin.call('CONFIG', 'SET', 'maxmemory', '0');
  assert.equal((await publish(all.backends[0], 'after')).offset, 2);
  await until(() => allUp(all.nodes), 'both nodes to be well');
});

publishTest('Redis has lost the scripts: nobody notices', [], async ({ redis, backends }) => {
  const admin = await redis.connect();
  await publish(backends[0], '1');
  await admin.call('SCRIPT', 'FLUSH');
  const answers = await Promise.all(['2', '3', '4'].map((data) => publish(backends[1], data)));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200]);
});

publishTest('without the replicas that it has to have a message is not acknowledged', ['--redis-replicas', '1'],
  async ({ redis, nodes, backends }) => {
    assert.equal((await publish(backends[0], 'alone')).status, 503);
    assert.match((await health(nodes[0])).cluster, /^too few replicas/);
    const replica = await startRedis({ config: [`replicaof 127.0.0.1 ${redis.port}`] });
    const admin = await redis.connect();
    await until(async () => /state=online/.test(await admin.call('INFO', 'replication')), 'a replica');
    assert.equal((await publish(backends[0], 'both')).status, 200);
    assert.ok(await (await replica.connect()).call('XLEN', `ringcast:s:{${APP.id}:${CHANNEL}}`) > 0);
    await until(() => allUp(nodes), 'both nodes to be well');
  });
