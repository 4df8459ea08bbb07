/* tests/e2e/cluster_connection.test.mjs - a node and its Redis: it waits for one that is not there, says what is wrong
 * while it is away or stands still, and comes back by itself. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { appArgs, call, Peer } from './channels.mjs';
import { health, untilHealth } from './cluster_nodes.mjs';
import { startRedis } from './redis.mjs';
import { run } from './run.mjs';
import { freePort, startServer } from './server.mjs';
import { assertQuiet, runClosers, until } from './support.mjs';

const TEST_MS = 60_000;
const SILENT = ['--redis-silent-ms-max', '500ms'];

const nodeArgs = (redis, more = []) => ['--shards', '1', '--redis', `redis://127.0.0.1:${redis.port}`, ...more];

function connectionTest(title, body) {
  test(title, { timeout: TEST_MS }, async () => {
    try {
      await body();
    } finally {
      runClosers();
    }
  });
}

/* The server ends well, and has said nothing else of level error. */
async function endWell(server) {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assertQuiet(server.stderr());
}

connectionTest('a Redis that comes later is found, one that goes is told, and found when it is back', async () => {
  const port = await freePort();
  const server = await startServer(nodeArgs({ port }));
  await untilHealth(server, 503, /^Redis: refuses connections; is it running/);
  const redis = await startRedis({ port });
  await untilHealth(server, 200, /^ok$/);
  await redis.kill();
  await untilHealth(server, 503, /^Redis: (closed|reset|refuses)/);
  await redis.start({ isEmpty: true });
  await untilHealth(server, 200, /^ok$/);
  await endWell(server);
  const lives = server.stderr().match(/connected, version \d+\.\d+\.\d+/g);
  assert.equal(lives.length, 2, server.stderr());
  assert.match(server.stderr(), /it has been started anew since/);
});

connectionTest('what is wrong with Redis is said wherever an operator looks, and its name with it', async () => {
  const port = await freePort(), control = await freePort(), folder = mkdtempSync(join(tmpdir(), 'ringcast-redis-'));
  const socket = join(folder, 'control.sock');
  const server = await startServer(nodeArgs({ port }, ['--node', 'west-1', '--control', `127.0.0.1:${control}`,
    '--control', `unix:${socket}`]));
  const ask = (path) => fetch(`http://127.0.0.1:${control}${path}`);
  const told = async () => {
    const ready = await ask('/ready'), stats = await (await ask('/stats')).json();
    const status = JSON.parse((await run(['ctl', '-s', socket, '--json', 'status'])).stdout);
    const metrics = await (await ask('/metrics')).text();
    assert.deepEqual([stats.node, status.node], ['west-1', 'west-1']);
    assert.match(metrics, /^ringcast_node_info\{name="west-1"\} 1$/m);
    return { code: ready.status, ready: await ready.json(), stats: stats.cluster, status: status.cluster,
      trouble: Number(/^ringcast_cluster_trouble (\d)$/m.exec(metrics)[1]) };
  };
  await untilHealth(server, 503, /^Redis: refuses connections; is it running/);
  const away = await told(), sentence = away.ready.reasons[0].text;
  assert.match(sentence, /^Redis: refuses connections; is it running/);
  assert.deepEqual(away, { code: 503, ready: { ready: false, reasons: [{ reason: 'cluster', text: sentence }] },
    stats: sentence, status: sentence, trouble: 1 });
  await startRedis({ port });
  await untilHealth(server, 200, /^ok$/);
  assert.deepEqual(await told(),
    { code: 200, ready: { ready: true, reasons: [] }, stats: 'ok', status: 'ok', trouble: 0 });
  await endWell(server);
  rmSync(folder, { recursive: true });
});

connectionTest('ringcast ctl cluster tells of Redis, of the nodes that live, and of what waits', async () => {
  const redis = await startRedis(), folder = mkdtempSync(join(tmpdir(), 'ringcast-redis-'));
  const socket = join(folder, 'control.sock'), one = ['--control', `unix:${socket}`, '--node', 'west-1'];
  const ctl = (...args) => run(['ctl', '-s', socket, ...args]);
  const cluster = async () => JSON.parse((await ctl('--json', 'cluster')).stdout);
  const server = await startServer([...nodeArgs(redis, [...appArgs(), ...one, ...SILENT])]);
  const other = await startServer(nodeArgs(redis, SILENT));
  const told = await until(async () => {
    const answer = await cluster();
    return answer.nodes === 2 && answer;
  }, 'two nodes to live');
  assert.deepEqual([told.state, told.node, told.redis.address], ['ok', 'west-1', `127.0.0.1:${redis.port}`]);
  assert.match(told.redis.version, /^\d+\.\d+\.\d+$/);
  assert.match(told.lease, /^[0-9a-f]{16}$/);
  assert.ok(told.redis.generation > 0 && told.redis.connected_seconds >= 0);
  assert.deepEqual(told.queue, { messages: 0, bytes: 0, oldest_ms: 0 });
  assert.match((await ctl('cluster')).stdout, /^state +ok\nnode +west-1\n[^]*\nredis\n {2}address +127/);
  const peer = await Peer.open(server);
  await peer.subscribe('news');
  await until(async () => (await cluster()).channels > 0, 'a channel to be read');
  await redis.kill();
  await until(async () => (await cluster()).redis.connected_seconds === null, 'the end to be told');
  const body = JSON.stringify({ name: 'ev', channel: 'news', data: '1' });
  const published = call(server, 'POST', '/events', { body });
  await until(async () => {
    const { queue: { messages, bytes, oldest_ms: ms } } = await cluster();
    return messages === 1 && bytes > 0 && ms > 0;
  }, 'a message to wait');
  assert.match((await cluster()).state, /^Redis: /);
  assert.equal((await published).status, 503);
  assert.equal((await cluster()).refused, 1);
  await peer.leave();
  await endWell(server);
  await endWell(other);
  rmSync(folder, { recursive: true });
});

connectionTest('a Redis that stands still is left, and found again when it goes on', async () => {
  const redis = await startRedis();
  const server = await startServer(nodeArgs(redis, SILENT));
  await untilHealth(server, 200, /^ok$/);
  redis.freeze();
  await untilHealth(server, 503, /^Redis: does not answer/);
  redis.thaw();
  await untilHealth(server, 200, /^ok$/);
  await endWell(server);
});

connectionTest('connections that are there and deaf are left: what is published has to come back', async () => {
  const redis = await startRedis();
  const admin = await redis.connect();
  const server = await startServer(nodeArgs(redis, SILENT));
  await untilHealth(server, 200, /^ok$/);
  await admin.call('CLIENT', 'PAUSE', '1500', 'WRITE'); /* PUBLISH waits, reads are answered */
  await until(() => /does not answer/.test(server.stderr()), 'the silence to be told');
  await untilHealth(server, 200, /^ok$/);
  await endWell(server);
});

connectionTest('both connections are closed when one is, and come back', async () => {
  const redis = await startRedis();
  const admin = await redis.connect();
  const server = await startServer(nodeArgs(redis));
  await untilHealth(server, 200, /^ok$/);
  for (const [type, lives] of [['pubsub', 2], ['normal', 3]]) {
    await admin.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
    await until(() => server.stderr().match(/connected, version/g).length === lives, `connection ${lives}`);
    await untilHealth(server, 200, /^ok$/);
  }
  await endWell(server);
  assert.doesNotMatch(server.stderr(), /started anew/, 'it was the same all the time');
});

connectionTest('--redis-wait=no ends at once with the reason, and so does what cannot be', async () => {
  const port = await freePort();
  const refused = (...args) => {
    const all = ['--listen', `127.0.0.1:${port}`, '--shards', '1', ...args];
    const { status, stderr } = spawnSync(process.env.RINGCAST, all, { encoding: 'utf8' });
    assert.notEqual(status, 0, stderr);
    return stderr;
  };
  assert.match(refused('--redis', `redis://127.0.0.1:${await freePort()}`, '--redis-wait=no', ...SILENT),
    /Redis: refuses connections; is it running/);
  const redis = await startRedis({ config: ['requirepass open-sesame'] });
  assert.match(refused('--redis', `redis://127.0.0.1:${redis.port}`, '--redis-wait=no', ...SILENT),
    /Redis: refuses this user or password/);
  const file = join(redis.folder, 'password');
  writeFileSync(file, 'open-sesame\n', { mode: 0o600 });
  const server = await startServer(nodeArgs(redis, ['--redis-wait=no', '--redis-password-file', file]));
  assert.deepEqual(await health(server), { status: 200, cluster: 'ok' });
  await endWell(server);
  assert.doesNotMatch(server.stderr(), /open-sesame/);
});

connectionTest('a policy that throws away is warned of', async () => {
  const redis = await startRedis({ config: ['maxmemory 20mb', 'maxmemory-policy allkeys-lru'] });
  const server = await startServer(nodeArgs(redis, ['--history', 'a-* durable=yes']));
  await until(() => /maxmemory-policy allkeys-lru/.test(server.stderr()), 'the warning');
  await until(() => /set appendonly yes/.test(server.stderr()), 'the warning that a restart costs all');
  await endWell(server);
});
