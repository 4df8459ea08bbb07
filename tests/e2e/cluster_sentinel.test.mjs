/* tests/e2e/cluster_sentinel.test.mjs - a node goes where the Sentinels say that the master is. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { untilHealth } from './cluster_nodes.mjs';
import { startRedis } from './redis.mjs';
import { startServer } from './server.mjs';
import { assertQuiet, runClosers, until } from './support.mjs';

const TEST_MS = 60_000;
const PATIENT = ['--redis-silent-ms-max', '20s', '--redis-lease', '60s'];     // longer than a failover takes

const startSentinel = (master) => startRedis({
  isSentinel: true,
  config: [`sentinel monitor main 127.0.0.1 ${master.port} 1`, 'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 3000'],
});

const nodeArgs = (sentinels, name, more = []) =>
  ['--shards', '1', '--redis', `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${name}`,
    ...more];

function sentinelTest(title, body) {
  test(title, { timeout: TEST_MS }, async () => {
    try {
      await body();
    } finally {
      runClosers();
    }
  });
}

sentinelTest('a master that stands still is left when the Sentinels name another, and stays left', async () => {
  const master = await startRedis({ config: ['repl-diskless-sync-delay 0'] });
  const replica = await startRedis({ config: [`replicaof 127.0.0.1 ${master.port}`] });
  const ofReplica = await replica.connect();
  await until(async () => /master_link_status:up/.test(await ofReplica.call('INFO', 'replication')), 'a copy');
  const sentinel = await startSentinel(master);
  const ofSentinel = await sentinel.connect();
  await until(async () => (await ofSentinel.call('SENTINEL', 'REPLICAS', 'main')).length === 1, 'a known replica');
  const server = await startServer(nodeArgs([sentinel], 'main', PATIENT));
  await untilHealth(server, 200, /^ok$/);
  assert.match(server.stderr(), new RegExp(`redis 127.0.0.1:${master.port}: connected`));

  master.freeze();
  await until(() => server.stderr().includes(`redis 127.0.0.1:${replica.port}: connected`), 'the other master');
  await untilHealth(server, 200, /^ok$/);
  assert.match(server.stderr(), /\(the Sentinels name another one\)/);
  master.thaw();
  const ofMaster = await master.connect();
  await until(async () => !/name=ringcast-/.test(await ofMaster.call('CLIENT', 'LIST')), 'nobody at the former one');
  await untilHealth(server, 200, /^ok$/);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assertQuiet(server.stderr());
  assert.equal(server.stderr().match(/: connected, version/g).length, 2, server.stderr());
});

sentinelTest('a name that no Sentinel knows is told, and one that is away does not matter', async () => {
  const master = await startRedis();
  const sentinels = [await startSentinel(master), await startSentinel(master)];
  await sentinels[0].kill();
  const lost = await startServer(nodeArgs(sentinels, 'other'));
  await untilHealth(lost, 503, /^Redis: no Sentinel says who its master is/);
  await until(() => /sentinel 127\.0\.0\.1:\d+ (knows no master other|refuses connections)/.test(lost.stderr()), 'why');
  assert.deepEqual(await lost.stop(), { code: 0, signal: null });
  const server = await startServer(nodeArgs(sentinels, 'main'));
  await untilHealth(server, 200, /^ok$/);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
