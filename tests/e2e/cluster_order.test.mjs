/* tests/e2e/cluster_order.test.mjs - one order on two nodes while Redis cuts their subscriptions, forgets everything,
 * or is started anew without anything: nothing is missing that nobody was told of, and nothing is told that was not
 * so. */

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Judge } from './cluster_judge.mjs';
import { ChannelReader, publishSurely, startNodes } from './cluster_nodes.mjs';
import { startRedis } from './redis.mjs';
import { randomFrom, runClosers, until } from './support.mjs';

const TEST_MS = 120_000;
const CHANNELS = ['one', 'two', 'three'];
const CUTS = 4;
const ROUND = 30;         /* messages of each channel between two accidents */

let redis, control, nodes, run = 0, published = 0;

/* A run has channels of its own: readers on both nodes, which know where they are, and a judge. */
async function readers() {
  const judge = new Judge();
  const random = randomFrom(++run);
  const all = CHANNELS.flatMap((word) => nodes.map((node, i) => {
    const channel = `${word}-${run}`;
    return { channel, reader: new ChannelReader([node], random, judge.reader(`${channel} at ${i}`, channel)) };
  }));
  await until(() => all.every(({ reader }) => reader.isIn), 'all readers to be in');
  return { judge, random, all, channels: CHANNELS.map((word) => `${word}-${run}`), last: new Map() };
}

/* At both nodes in turn; of each channel one after the other, of all of them at once. */
async function publishRound({ judge, random, channels, last }) {
  await Promise.all(channels.map(async (channel) => {
    for (let i = 0; i < ROUND; i++) {
      const data = String(++published);
      const position = await publishSurely([nodes[i % nodes.length]], random, channel, data, () => false);
      judge.acknowledged(channel, position, data);
      last.set(channel, position);
    }
  }));
}

const isAt = (one, other) => one?.epoch === other.epoch && one.offset === other.offset;

/* Everybody has come to the end, and the judge has no complaint. */
async function conclude({ judge, all, last }) {
  const isAtEnd = ({ channel, reader }) => isAt(reader.position, last.get(channel));
  await until(() => all.every(isAtEnd), 'all to come to the end');
  assert.deepEqual(judge.faults(), []);
  for (const { reader } of all) reader.end();
  return judge.counts;
}

before(async () => {
  redis = await startRedis();
  nodes = await startNodes(redis, 2, ['--history', '* size=5000 ttl=1h'], 'client_events=yes');
});

beforeEach(async () => { control = await redis.connect(); });

after(async () => {
  for (const node of nodes) {
    const { end, stderr } = await node.stop();
    assert.deepEqual(end, { code: 0, signal: null }, stderr);
  }
  redis.destroy();
  runClosers();
});

test('subscriptions are cut again and again: all is read from the history, and no loss is told', { timeout: TEST_MS },
  async () => {
    const game = await readers();
    for (let i = 0; i < CUTS; i++) {
      const round = publishRound(game);
      await control.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await round;
    }
    const { told, got } = await conclude(game);
    assert.equal(told, 0);
    assert.equal(got, CUTS * ROUND * game.all.length, 'each message once at each reader');
    control.close();
  });

test('everything is forgotten while messages are under way: readers are told, and go on', { timeout: TEST_MS },
  async () => {
    const game = await readers();
    await publishRound(game);
    const round = publishRound(game);
    await control.call('FLUSHALL');
    await round;
    const { told } = await conclude(game);
    assert.equal(told, game.all.length, 'each once');
    control.close();
  });

test('Redis is killed and comes back empty: readers are told, and go on', { timeout: TEST_MS }, async () => {
  const game = await readers();
  await publishRound(game);
  control.close();
  const round = publishRound(game);
  await redis.kill();
  await redis.start({ isEmpty: true });
  await round;
  const { told } = await conclude(game);
  assert.equal(told, game.all.length, 'each once');
});
