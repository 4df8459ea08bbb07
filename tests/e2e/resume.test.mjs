/* tests/e2e/resume.test.mjs - readers whose connection breaks at random times, in all ways that there are, while
 * messages are published in all ways that there are: each ends with exactly what was published, in the same order.
 *
 * What breaks when comes from a seed (SEED=... repeats a run, as far as the kernel's timing allows). */

import assert from 'node:assert/strict';
import Pusher from 'pusher-js';
import { appArgs, errorCode, Peer, pusherClient, socketOf } from './channels.mjs';
import { Backend, dataDir, durableArgs, Follower, newKey } from './kept.mjs';
import {
  atEnd, connect, counters, randomFrom, SEED, serverTest, sized, sleep, until, within,
} from './support.mjs';

const CLIENTS = sized(60, 120);
const SECONDS = sized(6, 60);
const MEMBERS = 16;    /* of the presence channel, who are told of each other */
const SLEEPERS = 3;    /* who are away all the time and come back in the end */
const IN_FLIGHT = 8;   /* events of a client that are not acknowledged yet */
const [ROOM, PRIVATE, PRESENCE] = ['room-a', 'private-a', 'presence-a'];
const BALLAST = 'ballast';
const BALLAST_BYTES = 60_000;
const BALLAST_AT_ONCE = 5;    /* less than an outbox holds */
const BALLAST_MESSAGES = 200;    /* 12 MB: more than the kernel's buffers, 10 MiB at most, and the outbox hold */
const KIB = 1024;

/* --- publishers --------------------------------------------------------------------------------------------------- */

/* Each gets `world`: { server, random, isOver(), published } and takes down in `published`, by channel, what it has
 * published, in its own order. */

function note(world, channel, data) {
  if (!world.published.has(channel)) world.published.set(channel, []);
  world.published.get(channel).push(data);
}

/* Waits a while between two messages. */
const breathe = (world) => sleep(10 + world.random(30));

async function publishOverHttp(world, name) {
  const backend = new Backend(world.server);
  for (let number = 0; !world.isOver(); number++) {
    const channel = [ROOM, PRIVATE, PRESENCE][world.random(3)];
    const data = `${name} ${number}`;
    note(world, channel, data);
    await backend.publish(channel, data, { key: newKey() });
    await breathe(world);
  }
  backend.close();
}

/* Events of a client, with ids; its connection breaks too, and what was not acknowledged it sends again. */
async function publishAsClient(world, name, channel) {
  const waiting = new Map();
  let peer, acknowledged = Promise.resolve();
  const send = (id, data) => {
    if (channel === ROOM) peer.send('pusher:ringcast_publish', { channel, data, id });
    else peer.sendText(JSON.stringify({ event: 'client-ev', channel, data, id }));
  };
  const listen = async (from) => {
    for (;;) {
      const { event, data } = await from.next();
      assert.notEqual(event, 'pusher:error', JSON.stringify(data));
      if (event !== 'pusher_internal:ringcast_ack') continue;
      const { id, offset } = JSON.parse(data);
      assert.ok(offset > 0, data);
      waiting.delete(id);
    }
  };
  const come = async () => {
    peer = await Peer.open(world.server);
    peer.askFor(channel, channel === PRESENCE ? { member: { user_id: name } } : {});
    while ((await peer.next()).event !== 'pusher_internal:subscription_succeeded');
    const from = peer;
    acknowledged = listen(from).catch((error) => {
      if (from === peer || !/^closed with/.test(error.message)) throw error;
    });
    acknowledged.catch(() => {});    /* looked at when the connection is given up */
    for (const [id, data] of waiting) send(id, data);
  };
  const go = async () => {
    const former = peer, listening = acknowledged;
    peer = undefined;
    former.client.terminate();
    await listening;
  };
  await come();
  for (let number = 0; !world.isOver(); number++) {
    if (world.random(40) === 0) {
      await go();
      await come();
    }
    const id = newKey(), data = `${name} ${number}`;
    waiting.set(id, data);
    note(world, channel, data);
    send(id, data);
    await breathe(world);
    await until(() => waiting.size < IN_FLIGHT, 'an acknowledgement', { poll: 5 });
  }
  await until(() => waiting.size === 0, 'the last acknowledgement');
  await go();
}

/* Without acknowledgements, so its connection stays. */
async function publishRaw(world, name) {
  const client = await connect(world.server, `/room/${ROOM}`);
  client.on('message', () => {});
  for (let number = 0; !world.isOver(); number++) {
    const data = `${name} ${number}`;
    note(world, ROOM, data);
    client.send(data);
    await breathe(world);
  }
  await sleep(0);
  client.close(1000);
  await within(client.ended, 'the end of a raw client');
}

/* --- readers ------------------------------------------------------------------------------------------------------ */

/* Fills the outboxes of those who do not read; others do not hear of it. A witness, who reads, sets the pace. Resolves
 * to the last message. */
function ballastOf(server) {
  const bytes = 'x'.repeat(BALLAST_BYTES);
  let client, witness, filling, next, times = 0;
  const send = async (texts) => {
    for (const text of texts) client.send(text);
    await witness.inbox.take(texts.length, 'ballast');
  };
  const fill = async () => {
    client ??= await connect(server, `/room/${BALLAST}`);
    witness ??= await connect(server, `/room/${BALLAST}`);
    for (let i = 0; i < BALLAST_MESSAGES; i += BALLAST_AT_ONCE) await send(Array(BALLAST_AT_ONCE).fill(bytes));
    const last = `end ${times++}`;
    await send([last]);
    return last;
  };
  return () => {    /* all who ask while it is being done share the next time */
    next ??= (filling ?? Promise.resolve()).then(() => {
      [filling, next] = [fill(), undefined];
      return filling;
    });
    return next;
  };
}

async function follow(world, follower) {
  const { random, server } = world;
  while (!world.isOver()) {
    if (!follower.isOpen && !await follower.open(server)) continue;
    await sleep(random(800));
    if (!follower.isOpen) continue;
    const deed = random(20);
    if (deed < 8) follower.cut();
    else if (deed < 12) await follower.leave();
    else if (deed < 19) await follower.subscribeAnew(follower.channels[random(follower.channels.length)]);
    else world.codes.push(await follower.pause(BALLAST, world.fill) ?? 'none');
    if (random(4) === 0) await sleep(random(1000));
  }
  while (!follower.isOpen && !await follower.open(server));
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

/* The log has what was published, all of it once, each publisher's in its order. */
function assertWhole(items, published, channel) {
  const texts = items.map(({ data }) => data);
  assert.equal(new Set(texts).size, texts.length, `nothing is twice on ${channel}`);
  assert.deepEqual([...texts].sort(), [...published].sort(), `all of it is on ${channel}`);
  assert.deepEqual(items.map(({ offset }) => offset), items.map((_, i) => i + 1), 'no offset is left out');
  const last = new Map();
  for (const text of texts) {
    const [name, number] = text.split(' ');
    assert.ok((last.get(name) ?? -1) < Number(number), `${text} after ${last.get(name)}`);
    last.set(name, Number(number));
  }
}

async function assertSame(world, followers) {
  const backend = new Backend(world.server);
  for (const [channel, published] of world.published) {
    const { items, offset } = await until(async () => {
      const history = await backend.history(channel);
      return history.items.length >= published.length ? history : null;
    }, `${published.length} messages on ${channel}`);
    assertWhole(items, published, channel);
    const wanted = items.map(({ offset: at, data }) => ({ offset: at, data }));
    for (const follower of followers.filter(({ channels }) => channels.includes(channel))) {
      await follower.untilAt(channel, offset);
      assert.deepEqual(follower.problems, []);
      assert.deepEqual(follower.got.get(channel), wanted, `${follower.name} on ${channel}`);
    }
  }
  backend.close();
}

const ROOMY = [
  ...appArgs('client_events_per_second=1000'), '--outbox-bytes-max', '512KiB', '--close-ms-max', '20s',
];
const KEEP = 'size=1000000 bytes=1GiB';
const inMemory = () => ['--history', `${BALLAST} size=1`, '--history', `* client_events=yes ${KEEP}`,
  '--replay-bytes-max', '64MiB'];
/* A replay may be as large as all that is published, which is more than the window in memory then holds. */
const inStore = () => ['--history', `${BALLAST} size=1`, ...durableArgs(dataDir(), KEEP),
  '--replay-bytes-max', `${18 * SECONDS}KiB`];

for (const [shards, kind, args] of [[4, 'memory', inMemory], [1, 'memory', inMemory], [4, 'the store', inStore]]) {
  const title = `whoever is cut at random misses nothing, ${shards} shards, history in ${kind}, SEED=${SEED}`;
  serverTest(title, () => [...ROOMY, ...args(), '--shards', shards], async (server) => {
    const end = Date.now() + SECONDS * 1000;
    const world = {
      server, random: randomFrom(SEED), isOver: () => Date.now() > end, published: new Map(), codes: [],
      fill: ballastOf(server),
    };
    const followers = Array.from({ length: CLIENTS }, (_, i) => (
      new Follower(`f${i}`, i < MEMBERS ? [ROOM, PRIVATE, PRESENCE] : [ROOM, PRIVATE])));
    atEnd(() => followers.forEach((follower) => follower.cut()));
    await Promise.all(followers.map((follower) => follower.open(server)));
    const sleepers = followers.slice(0, SLEEPERS);
    const [slow, ...cut] = sleepers;
    cut.forEach((follower) => follower.cut());
    /* one is closed for certain; others may be, or may get all because the server was the slower one */
    const slowEnds = until(async () => await slow.pause(BALLAST, world.fill) === 4100, 'one to be closed as too slow');
    await Promise.all([
      slowEnds,
      ...followers.slice(SLEEPERS).map((follower) => follow(world, follower)),
      publishOverHttp(world, 'http1'), publishOverHttp(world, 'http2'),
      publishAsClient(world, 'client1', PRIVATE), publishAsClient(world, 'client2', PRESENCE),
      publishAsClient(world, 'client3', ROOM), publishRaw(world, 'raw1'), publishRaw(world, 'raw2'),
    ]);
    await Promise.all(sleepers.map((follower) => follower.open(server)));
    await assertSame(world, followers);
    const sum = (name) => followers.reduce((total, follower) => total + follower[name], 0);
    console.log(`${[...world.published.values()].flat().length} messages, ${sum('resumed')} resumed, `
      + `${sum('replayed')} replayed, ${world.codes.filter((code) => code === 4100).length + 1} closed with 4100`);
    assert.ok(sum('replayed') > 0, 'somebody missed something');
  });
}

/* --- an application with pusher-js -------------------------------------------------------------------------------- */

/* What lets an application with pusher-js resume: it reads what the package drops, and adds to what the package sends.
 * `make` makes the client, which connects at once. Afterwards new clients are as they always were. */
function resumingClient(make) {
  const positions = {};
  const { createWebSocket } = Pusher.Runtime;
  Pusher.Runtime.createWebSocket = (url) => {
    const socket = createWebSocket.call(Pusher.Runtime, url);
    socket.addEventListener('message', ({ data }) => {
      const { event, channel, data: text, ...position } = JSON.parse(data);
      if (event === 'pusher_internal:subscription_succeeded') Object.assign(position, JSON.parse(text));
      if (position.epoch === undefined || position.recovered) return;    /* what was missed is still to come */
      positions[channel] = { epoch: position.epoch, offset: position.offset };
    });
    return socket;
  };
  atEnd(() => { Pusher.Runtime.createWebSocket = createWebSocket; });
  const client = make();
  const sendEvent = client.send_event.bind(client);
  client.send_event = (name, data, channel) => {
    if (name === 'pusher:subscribe') data.recover = positions[data.channel] ?? true;
    return sendEvent(name, data, channel);
  };
  return client;
}

const SLOW = ['--outbox-bytes-max', '256KiB', '--replay-bytes-max', '64MiB', '--close-ms-max', '1m'];

for (const [kind, args] of [
  ['memory', () => ['--history', '* size=10000 bytes=64MiB']],
  ['the store', () => durableArgs(dataDir(), 'size=10000 bytes=64MiB')],
]) {
  serverTest(`pusher-js that was too slow comes back and misses nothing, history in ${kind}`,
    () => [...appArgs(), ...SLOW, ...args(), '--shards', 2], async (server) => {
      const client = resumingClient(() => pusherClient(server));
      const [backend, got, recovered, errors] = [new Backend(server), [], [], []];
      client.connection.bind('error', (error) => errors.push(errorCode(error)));
      const channel = client.subscribe('room-a');
      channel.bind('pusher:subscription_succeeded', (data) => recovered.push(data.recovered));
      channel.bind('ev', (data) => got.push(Number(data)));
      await until(() => recovered.length === 1, 'the first subscription');
      let sent = 0;
      const publish = async (count) => {
        const batch = Array.from({ length: count }, () => (
          { name: 'ev', channel: 'room-a', data: String(sent++).padEnd(9 * KIB) }));
        const { status } = await backend.call('POST', '/batch_events', { body: { batch } });
        assert.equal(status, 200);
      };
      await publish(3);
      await until(() => got.length === 3, 'the first events');
      socketOf(client).pause();
      await until(async () => {    /* what is in the kernel's buffers is not in the outbox yet */
        for (let i = 0; i < 15; i++) await publish(10);
        return (await counters(server)).subscriptions === 0;
      }, 'the server to give it up');
      socketOf(client).resume();
      await until(() => recovered.length === 2, 'it to come back');
      await publish(2);
      await until(() => got.length >= sent, 'all events');
      assert.deepEqual(recovered, [false, true]);
      assert.ok(errors.includes(4100), `${errors}`);
      assert.deepEqual(got, Array.from({ length: sent }, (_, i) => i));
      backend.close();
    });
}
