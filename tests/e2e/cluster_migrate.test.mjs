/* tests/e2e/cluster_migrate.test.mjs - the durable log of a server alone is brought into Redis, once, by `ringcast
 * migrate`: all that the rules keep, at the same offsets, or a sentence that says what stands in the way. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { appArgs } from './channels.mjs';
import { Backend, dataDir } from './kept.mjs';
import { startRedis } from './redis.mjs';
import { startServer } from './server.mjs';
import { runClosers } from './support.mjs';

const RULES = ['--history', 'tea* durable=yes size=30', '--history', 'old* durable=yes'];
const STREAM = (channel) => `ringcast:s:{1001:${channel}}`;
const NODES = 'ringcast:{nodes}';

function migrate(redis, args) {
  const { status, stdout, stderr } = spawnSync(process.env.RINGCAST,
    ['migrate', ...appArgs(), ...RULES, '--redis', `redis://127.0.0.1:${redis.port}`, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/* { channel: texts } are published to a server with this log, which then ends. */
async function keep(directory, channels, args = RULES) {
  const server = await startServer([...appArgs(), ...args, '--data-dir', directory]);
  const backend = new Backend(server);
  for (const [channel, texts] of Object.entries(channels)) {
    for (const text of texts) await backend.publish(channel, text);
  }
  backend.close();
  assert.equal((await server.stop()).code, 0);
}

test('what is kept is in Redis, at its offsets, and can be brought again', async (t) => {
  t.after(runClosers);
  const redis = await startRedis();
  const client = await redis.connect();
  const directory = dataDir();
  const many = Array.from({ length: 100 }, (_, i) => `text ${i + 1}`);
  await keep(directory, { tea: ['one', '{"two":"\\u0000"}', 'drei €'], 'tea-many': many, 'old-news': ['gone'] });
  const first = migrate(redis, ['--data-dir', directory, '--history', 'none']);
  assert.deepEqual([first.status, first.stderr], [0, ''], first.stdout);
  assert.match(first.stdout, /^3 channels with \d+ messages are in Redis now; 0 were there already, of 0 nothing/m);
  const tea = await client.call('XRANGE', STREAM('tea'), '-', '+');
  const epoch = tea[0][0].split('-')[0];
  assert.deepEqual(tea.map(([id]) => id), [0, 1, 2, 3].map((offset) => `${epoch}-${offset}`));
  assert.deepEqual(tea[0][1], ['k', '']);
  assert.equal(tea[1][1][0], 't');
  assert.ok(Math.abs(Number(tea[1][1][1]) - Date.now()) < 600_000, 'its own time');
  assert.ok(tea[3][1][3].includes('drei €'));
  const [[newest]] = await client.call('XREVRANGE', STREAM('tea-many'), '+', '-', 'COUNT', 1);
  assert.equal(newest, `${epoch}-100`);
  const length = await client.call('XLEN', STREAM('tea-many'));
  assert.equal(length, 31, 'as many as the rule keeps, and the beginning');
  assert.ok(await client.call('PTTL', STREAM('tea')) > 0);

  await client.call('DEL', STREAM('tea'));
  const second = migrate(redis, ['--data-dir', directory]);
  assert.match(second.stdout, /^1 channels with 3 messages are in Redis now; 2 were there already/m);
});

test('what stands in the way is said, and nothing is brought in part', async (t) => {
  t.after(runClosers);
  const redis = await startRedis();
  const client = await redis.connect();
  const directory = dataDir();
  await keep(directory, { tea: ['one'] });
  const refused = (args, pattern, status = 1) => {
    const answer = migrate(redis, args);
    assert.equal(answer.status, status, answer.stdout);
    assert.match(answer.stderr, pattern);
  };
  refused([], /there is no --data-dir/);
  refused(['--data-dir', directory, '--redis', 'redis://127.0.0.1:1'], /of several --redis none/);
  refused(['--data-dir', directory, '--no-such-option'], /no-such-option/, 2);
  await client.call('ZADD', NODES, Date.now() + 60_000, 'a node');
  refused(['--data-dir', directory], /1 nodes use this Redis .*stop them first/);
  await client.call('DEL', NODES);
  const server = await startServer([...appArgs(), ...RULES, '--data-dir', directory]);
  refused(['--data-dir', directory], new RegExp(`${directory}.*use`));
  await server.stop();
  await client.call('CONFIG', 'SET', 'maxmemory', '1');
  refused(['--data-dir', directory], /Redis refuses: OOM/);
  await client.call('CONFIG', 'SET', 'maxmemory', '0');
  assert.equal(await client.call('EXISTS', STREAM('tea')), 0);
  assert.equal(migrate(redis, ['--data-dir', directory]).status, 0);
  redis.freeze();
  refused(['--data-dir', directory, '--redis-silent-ms-max', '500ms'], /silent|answer/);
  redis.thaw();
});
