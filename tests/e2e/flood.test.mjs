/* tests/e2e/flood.test.mjs - a full house of clients that all send as fast as they are heard: backends get through by
 * the control listener all the same.
 *
 * Each flooder waits for the echo of what it sent before it sends more, otherwise this process could not read what
 * the server delivers, and the server would close it as a slow reader. */

import assert from 'node:assert/strict';
import { connect, leave, sized, until, untilCounters, untilNobody, WAIT_MS } from './support.mjs';
import { ask, backend, channelTest, Peer } from './channels.mjs';

const HOUSE = 40;
const ROUND = 4;           /* messages that a flooder has under way: enough for the server to be busy all the time */
const PUBLISHES = sized(50, 300);
const FULL = {
  control: true, settings: 'client_events_per_second=100000',
  args: ['--lobby-echo', '--connections-max', `${HOUSE}`, '--outbox-bytes-max', '64MiB', '--outbox-age-ms-max', '2m'],
};

/* Speaks in the lobby until `isOver`, which gets what was heard of others than flooders; returns it. */
async function floodLobby(client, name, isOver) {
  const others = [];
  const last = `flood ${name} ${ROUND - 1}`;
  while (!isOver(others)) {
    for (let i = 0; i < ROUND; i++) client.send(`flood ${name} ${i}`);
    for (let text = await client.inbox.next(); text !== last; text = await client.inbox.next()) {
      if (!text.startsWith('flood ')) others.push(text);
    }
  }
  return others;
}

/* Speaks in a private channel; the answer to a ping stands behind all that was said before. */
async function floodChannel(peer, isOver) {
  const { client } = peer;
  while (!isOver()) {
    for (let i = 0; i < ROUND; i++) peer.send('client-flood', { i }, 'private-flood');
    peer.send('pusher:ping', {});
    while (!(await client.inbox.next()).includes('"pusher:pong"'));
  }
}

channelTest('a full house that floods keeps no backend out, and lets nobody in', FULL, async (server) => {
  const raws = [], peers = [];
  while (raws.length < HOUSE / 2) raws.push(await connect(server));
  while (peers.length < HOUSE / 2) peers.push(await Peer.open(server));
  for (const peer of peers) await peer.subscribe('private-flood');
  let isOver = false, isIn = false;
  const talk = raws.map((client, i) => floodLobby(client, i, (heard) => isOver && heard.length >= PUBLISHES));
  const events = peers.map((peer) => floodChannel(peer, () => isOver));
  const limit = sized(4, 40) * WAIT_MS;    /* the flood lasts; one given up would take the place */
  const late = until(() => connect(server, '/', { limit }).catch(() => null), 'a place', { limit }).then((client) => {
    isIn = true;
    return client;
  });

  const said = Array.from({ length: PUBLISHES }, (_, i) => `publish ${i}`);
  for (const text of said) {
    await backend(server.control).trigger('lobby', 'message', text);
    await backend(server.control).trigger('private-flood', 'ev', text);
  }
  assert.deepEqual(await ask(server.control, '/connections'), { connections: HOUSE / 2 });
  assert.equal(isIn, false, 'nobody got in');

  isOver = true;
  for (const heard of await Promise.all(talk)) assert.deepEqual(heard, said);
  await Promise.all(events);
  const now = await untilCounters(server, ({ subscriptions }) => subscriptions === HOUSE, 'all to be there still');
  assert.deepEqual([now.closed_slow_reader, now.closed_stale_reader], [0, 0]);
  await leave(raws.pop());
  await leave(await late, ...raws);
  for (const peer of peers) peer.client.terminate();
  await untilNobody(server);
});
