/* tests/e2e/drain.test.mjs - a server that is told to stop: what balancers, newcomers, backends and clients notice of
 * it, stage by stage, and that nothing of what was published is lost or comes twice. Evenness is tested by a clock of
 * its own, in tests/server/scenario/test_drain.c, and measured by measure_drain.mjs. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import WebSocket from 'ws';
import { appArgs, APP, backend, call, endpointAnswer, openPeers, Peer } from './channels.mjs';
import { closeAll, mockTest, newClient, PATIENT, stateOf, TEA } from './mock_ringcast.mjs';
import { request, RawClient } from './raw.mjs';
import { startServer } from './server.mjs';
import { atEnd, connect, connectMany, leave, refusal, serverTest, sized, until, within } from './support.mjs';

const CLOSING = /goodbye one after the other/;

async function ask(server, what) {
  const client = await RawClient.connect(server);
  client.write(request(`GET ${what} HTTP/1.1`));
  const { status, body } = await client.answer();
  client.destroy();
  return [status, body.toString()];
}

function published(server, data) {
  return call(server, 'POST', '/events', { body: { name: 'ev', channel: 'news', data } });
}

/* --- the stages --------------------------------------------------------------------------------------------------- */

serverTest('until the delay is over only balancers notice', [...appArgs(), '--shards', '2', '--drain-delay-ms', '1h'],
  async (server) => {
    assert.deepEqual([await ask(server, '/up'), await ask(server, '/health')],
      [[200, 'OK\n'], [200, '{"store":"none"}']]);
    const [room, peer] = [await connect(server), await Peer.open(server)];
    await peer.subscribe('news');
    process.kill(server.pid, 'SIGTERM');
    await until(async () => (await ask(server, '/up'))[0] === 503, '/up to be red');
    assert.deepEqual(await ask(server, '/health'), [503, '{"store":"none","draining":true}']);
    const [newRoom, newPeer] = [await connect(server), await Peer.open(server)];
    await newPeer.subscribe('news');
    newRoom.send('hello');
    assert.equal(await room.inbox.next(), 'hello');
    assert.equal((await published(server, 'x')).status, 200);
    for (const reader of [peer, newPeer]) await reader.expect('ev', 'news', 'x');
    process.kill(server.pid, 'SIGTERM');
    const end = await within(server.ended, 'the server to end');
    assert.match(server.stderr(), /stopping at once/);
    return end;
  }, { exitCode: 1 });

serverTest('while clients are closed none is let in, and backends are served until the last has gone',
  [...appArgs(), '--shards', '2', '--drain-ms', '1h'], async (server) => {
    const [room, peer] = [await connect(server), await Peer.open(server)];
    await peer.subscribe('news');
    process.kill(server.pid, 'SIGTERM');
    await until(() => CLOSING.test(server.stderr()), 'the end of the delay');
    for (const where of ['/', '/room/tea', `/app/${APP.key}`]) {
      const { status, headers } = await until(async () => refusal(server, where).catch(() => null), 'a refusal');
      assert.deepEqual([status, headers.connection, headers['retry-after']], [503, 'close', '1']);
    }
    for (const data of ['x', 'y']) {
      assert.equal((await published(server, data)).status, 200);
      await peer.expect('ev', 'news', data);
    }
    await backend(server).trigger('news', 'ev', 'z');
    await peer.expect('ev', 'news', 'z');
    await leave(room);
    await peer.leave();
    return within(server.ended, 'the server to end, as nobody is left');
  });

for (const [codes, least, args] of [[[1001, 4100], 1000, []], [[1012, 4200], 1, ['--drain-reconnect']]]) {
  serverTest(`each client is told when to come back, and ${codes}`,
    [...appArgs(), '--shards', '2', '--drain-ms', '1s', ...args], async (server) => {
      const [rooms, peers] = [await connectMany(server, 30), await openPeers(server, 30)];
      process.kill(server.pid, 'SIGTERM');
      const told = [];
      for (const { ended } of rooms) {
        const { code, reason } = await within(ended, 'a goodbye');
        assert.equal(code, codes[0]);
        told.push(Number(/, retry_after_ms=(\d+)$/.exec(reason)[1]));
      }
      for (const peer of peers) {
        const data = await peer.expectEnd();
        assert.equal(data.code, codes[1]);
        assert.equal((await peer.ended).reason, `${data.message}, retry_after_ms=${data.retry_after_ms}`);
        told.push(data.retry_after_ms);
      }
      assert.ok(Math.min(...told) >= least && Math.max(...told) <= least + 1000, `${told}`);
      assert.ok(new Set(told).size > 30, `at random: ${told}`);
      return within(server.ended, 'the server to end');
    });
}

mockTest('ringcast.js comes back when it is told, the first time exactly then', async (mock) => {
  const client = newClient(mock.url, PATIENT);
  const sayGoodbye = async (told, code) => {
    const [link, before] = [await mock.links.next(), Date.now()];
    await stateOf(client, 'open');
    link.sendText(JSON.stringify({ event: 'pusher:error', data: { code, message: 'bye', retry_after_ms: told } }));
    link.socket.close(code, 'bye');
    const { retryAt } = await stateOf(client, 'waiting');
    client.retryNow();
    return { least: retryAt - Date.now(), most: retryAt - before };
  };
  client.connect();
  client._options.steadyMs = 0;    /* each is the first time */
  for (const [told, code] of [[5e5, 4100], [1, 4200], [7e5, 4200]]) {
    const { least, most } = await sayGoodbye(told, code);
    assert.ok(least <= told && most >= told, `${told}: ${least} to ${most}`);
  }
  for (const nonsense of [-1, '5', 1e9, null, 1e308]) {
    const { least, most } = await sayGoodbye(nonsense, 4100);
    const { retryFirstMs } = PATIENT;
    assert.ok(most >= 2 * retryFirstMs && least <= 3 * retryFirstMs, `${nonsense}: ${least} to ${most}`);
  }
  client._options.steadyMs = 1e9;
  const { least, most } = await sayGoodbye(5e5, 4100);
  assert.ok(most >= 5e5 && least <= 5e5 + 2 * PATIENT.retryFirstMs, `again: ${least} to ${most}`);
});

/* --- nothing is lost ---------------------------------------------------------------------------------------------- */

const PUBLISHERS = sized(10, 40);
const DRAINS = sized(2, 20);

function durableArgs(folder) {
  return [...appArgs('client_events_per_second=100000'), '--shards', '2', '--data-dir', folder,
    '--history', '* durable=yes client_events=yes size=1000000', '--drain-delay-ms', '100', '--drain-ms', '700'];
}

const folder = mkdtempSync(path.join(tmpdir(), 'ringcast-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

/* Each waits for the place of its last message before it publishes the next. */
async function publish(channel, who, isOver) {
  const places = [];
  for (let i = 0; !isOver(); i++) {
    const { offset, epoch } = await within(channel.publish('client-a', `${who} ${i}`), `the place of ${who} ${i}`);
    places.push({ offset, epoch, data: `${who} ${i}` });
  }
  return places;
}

async function allKept(channel) {
  const items = [];
  for (let since = 0, more = true; more;) {
    const page = await channel.history({ since, limit: 1000 });
    items.push(...page.items);
    ({ more } = page);
    since = items.at(-1).offset;
  }
  return items;
}

serverTest('what is published while the server drains is there once, at the place that its publisher was told',
  durableArgs(folder), async (first) => {
    atEnd(closeAll);
    let [server, isOver] = [first, false];
    const clients = Array.from({ length: PUBLISHERS }, () => newClient(`ws://127.0.0.1:${first.port}`, {
      key: APP.key, WebSocket, retryFirstMs: 20, retryMaxMs: 200,
      authorize: async ({ socketId, channel }) => endpointAnswer(socketId, channel),
    }));
    const channels = clients.map((client) => client.subscribe(TEA));
    for (const client of clients) client.connect();
    const places = channels.map((channel, who) => publish(channel, who, () => isOver));
    for (let i = 0; i < DRAINS; i++) {
      const before = channels[0].position?.offset ?? 0;
      await until(() => channels.every(({ state }) => state === 'subscribed'), 'everybody to be back');
      await until(() => channels[0].position?.offset > before + 3 * PUBLISHERS, 'messages');
      assert.deepEqual(await within(server.stop(), 'the drain'), { code: 0, signal: null }, server.stderr());
      server = await startServer(durableArgs(folder), { port: first.port });
    }
    await until(() => channels.every(({ state }) => state === 'subscribed'), 'everybody to be back');
    isOver = true;
    const told = (await within(Promise.all(places), 'all places')).flat();
    const kept = await allKept(channels[0]);
    assert.equal(new Set(told.map(({ epoch }) => epoch)).size, 1, 'one epoch');
    assert.deepEqual(kept.map(({ offset, data }) => `${offset}: ${data}`),
      told.sort((a, b) => a.offset - b.offset).map(({ offset, data }) => `${offset}: ${data}`));
    closeAll();
    assert.deepEqual(await within(server.stop(), 'the end'), { code: 0, signal: null }, server.stderr());
    return first.ended;
  });
