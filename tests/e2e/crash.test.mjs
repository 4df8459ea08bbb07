/* tests/e2e/crash.test.mjs - the server is killed at random moments while it is published to, and started again on what
 * it left: every message that was acknowledged is there, in its place, and nothing is there twice.
 *
 * What happens when comes from a seed (SEED=... repeats it, as far as the kernel's timing allows). */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { appArgs, Peer } from './channels.mjs';
import { Backend, dataDir, durableArgs, Follower, newKey } from './kept.mjs';
import { assertQuiet, randomFrom, SEED, sized, sleep, until, within } from './support.mjs';
import { freePort, startServer } from './server.mjs';

const ROUNDS = sized(12, 200);
const ROUND_MS = 700;          /* at most, until the end of the server */
const START_MS = 250;          /* of a start that is killed too */
const HTTP_PUBLISHERS = 6;
const IN_FLIGHT = 12;          /* of a client that sends events */
const DATA_BYTES = 3000;       /* at most, beside the key */
const REPEAT_LATEST = 200;     /* keys that may be repeated though they were acknowledged: not 10 minutes old */
const CHANNELS = ['room-a', 'private-a', 'private-b', 'presence-a'];
const KEEP = 'size=10000000 bytes=8GiB';

/* --- what must be true -------------------------------------------------------------------------------------------- */

/* All that publishers were told and readers saw, in all rounds. */
class Book {
  acknowledged = new Map();    /* key -> { channel, offset, epoch } */
  latest = { backend: [], client: [] };    /* keys acknowledged, the latest last; each has its own */
  texts = new Map();           /* key -> the data */
  kept = new Map(CHANNELS.map((channel) => [channel, []]));    /* by offset - 1: what was read at the ends of rounds */
  keys = new Set();            /* of what is kept */
  epochs = new Map();
  repeats = 0;

  /* A message yet to be published: its data begins with the key. */
  compose(random, channel) {
    const key = newKey();
    const data = `${key} ${'x'.repeat(random(4) === 0 ? random(DATA_BYTES) : 10)}`;
    this.texts.set(key, data);
    return { key, channel, data };
  }

  acknowledge(by, { key, channel }, { offset, epoch }) {
    const former = this.acknowledged.get(key);
    if (former) {
      this.repeats += 1;
      assert.deepEqual({ channel, offset, epoch }, former, 'a repeat is answered like the first');
      return;
    }
    assert.ok(offset > 0 && epoch, `${key} has a place`);
    this.acknowledged.set(key, { channel, offset, epoch });
    const latest = this.latest[by];
    latest.push(key);
    if (latest.length > REPEAT_LATEST) latest.shift();
  }

  /* One that was acknowledged already, to be published again. */
  repeat(by, random) {
    const latest = this.latest[by];
    if (latest.length === 0) return null;
    const key = latest[random(latest.length)];
    return { key, channel: this.acknowledged.get(key).channel, data: this.texts.get(key) };
  }

  /* What the server has kept since the last look. */
  async read(server) {
    const backend = new Backend(server);
    for (const [channel, kept] of this.kept) {
      const { epoch, items } = await backend.history(channel, kept.length);
      if (items.length > 0 || kept.length > 0) assert.equal(epoch, this.epochs.get(channel) ?? epoch, channel);
      if (items.length > 0) this.epochs.set(channel, epoch);
      for (const { offset, data } of items) {
        assert.equal(offset, kept.length + 1, `no offset of ${channel} is left out`);
        const key = data.split(' ')[0];
        assert.equal(data, this.texts.get(key), `${channel} ${offset}`);
        assert.ok(!this.keys.has(key), `${channel} ${offset} is there for the first time`);
        this.keys.add(key);
        kept.push(data);
      }
    }
    backend.close();
    this.checkAcknowledged();
  }

  checkAcknowledged() {
    for (const [key, { channel, offset, epoch }] of this.acknowledged) {
      assert.equal(this.kept.get(channel)[offset - 1], this.texts.get(key), `${channel} ${offset} of ${epoch}: ${key}`);
      assert.equal(this.epochs.get(channel), epoch);
    }
  }

  /* Of a reader who was there from the beginning. */
  checkReader({ name, channels, got, problems }) {
    assert.deepEqual(problems, []);
    for (const channel of channels) {
      for (const { offset, data } of got.get(channel)) {
        assert.equal(data, this.kept.get(channel)[offset - 1], `${name} got ${channel} ${offset}`);
      }
    }
  }

  /* All of it once more, from the first. */
  async readAll(server) {
    const backend = new Backend(server);
    for (const [channel, kept] of this.kept) {
      const { items } = await backend.history(channel);
      assert.deepEqual(items.map(({ data }) => data), kept, channel);
    }
    backend.close();
  }
}

/* --- publishers and readers, who live as long as the test --------------------------------------------------------- */

/* world: { random, book, server, isOver }; its server is undefined while there is none. */

const somebodyServes = (world) => until(() => world.server !== undefined || world.isOver, 'a server', { poll: 5 });

/* One message after the other, each with its key as long as it is not acknowledged. */
async function publishOverHttp(world) {
  const { random, book } = world;
  let message, backend;
  while (!world.isOver) {
    await somebodyServes(world);
    if (world.server === undefined) continue;
    if (backend?.server !== world.server) {
      backend?.close();
      backend = new Backend(world.server);
    }
    if (random(10) === 0) message ??= book.repeat('backend', random);
    message ??= book.compose(random, CHANNELS[random(CHANNELS.length)]);
    try {
      book.acknowledge('backend', message, await backend.publish(message.channel, message.data, { key: message.key }));
      message = undefined;
    } catch (error) {
      if (error.code === undefined || error.code === 'ERR_ASSERTION') throw error;
      await sleep(5);    /* the server is gone; the same again */
    }
  }
  backend?.close();
}

/* Some events at a time; those that are not acknowledged are sent again over the next connection. */
async function publishAsClient(world, name, channel) {
  const { random, book } = world;
  const waiting = new Map();
  const send = (peer, { key, data }) => {
    if (peer.client.readyState === 1) peer.sendText(JSON.stringify({ event: 'client-ev', channel, data, id: key }));
  };
  const fill = (peer) => {
    while (waiting.size < IN_FLIGHT) {
      const old = random(20) === 0 ? book.repeat('client', random) : null;
      const mayRepeat = old?.channel === channel && !waiting.has(old.key);
      const message = mayRepeat ? old : book.compose(random, channel);
      waiting.set(message.key, message);
      send(peer, message);
    }
  };
  while (!world.isOver) {
    await somebodyServes(world);
    try {
      if (world.server === undefined) continue;
      const peer = await Peer.open(world.server);
      peer.askFor(channel, channel.startsWith('presence-') ? { member: { user_id: name } } : {});
      for (let isIn = false; !world.isOver;) {
        const { event, data } = await peer.next('an acknowledgement');
        if (event === 'pusher_internal:subscription_succeeded') {
          isIn = true;
          for (const message of waiting.values()) send(peer, message);
        } else if (event === 'pusher_internal:ringcast_ack') {
          const { id, ...position } = JSON.parse(data);
          if (position.error) assert.ok(position.retry, data);
          else book.acknowledge('client', waiting.get(id), position);
          waiting.delete(id);
        }
        if (isIn) fill(peer);
      }
      peer.client.terminate();
    } catch (error) {
      if (!/^closed with/.test(error.message) && error.code === undefined) throw error;
      if (error.code === 'ERR_ASSERTION') throw error;
      await sleep(5);
    }
  }
}

async function read(world, follower) {
  while (!world.isOver) {
    await somebodyServes(world);
    if (world.server === undefined) continue;
    if (!follower.isOpen && !await follower.open(world.server)) await sleep(5);
    await sleep(10);
  }
}

/* --- rounds ------------------------------------------------------------------------------------------------------- */

/* A start that does not come to its end. */
async function startInVain(args, port, random) {
  const child = spawn(process.env.RINGCAST, ['--listen', `127.0.0.1:${port}`, ...args], { stdio: 'ignore' });
  const ended = new Promise((resolve) => { child.once('exit', (code) => resolve(code)); });
  await sleep(random(START_MS));
  child.kill('SIGKILL');
  assert.equal(await ended, null, 'it ran until it was killed');
}

async function start(world, directory, port) {
  const { random } = world;
  const args = [...appArgs('client_events_per_second=100000'), '--replay-bytes-max', '64MiB',
    '--repeat-keys-max', '10000000',    /* more than all rounds publish: none may be forgotten */
    ...durableArgs(directory, KEEP), '--shards', [1, 2, 4][random(3)]];
  if (random(5) === 0) await startInVain(args, port, random);
  return startServer(args, { port });
}

/* Mostly by SIGKILL; sometimes it may say goodbye. */
async function end(server, random) {
  if (random(6) > 0) return within(server.kill(), 'the server to be killed');
  const ending = await within(server.stop(), 'the server to stop');
  assert.deepEqual(ending, { code: 0, signal: null }, server.stderr());
  return ending;
}

test(`what was acknowledged outlives every kill, ${ROUNDS} rounds, SEED=${SEED}`, { timeout: 60_000 + ROUNDS * 15_000 },
  async () => {
    const random = randomFrom(SEED);
    const world = { random, book: new Book(), server: undefined, isOver: false };
    const { book } = world;
    const [directory, port] = [dataDir(), await freePort()];
    const followers = Array.from({ length: 2 }, (_, i) => new Follower(`f${i}`, CHANNELS));
    let server = await start(world, directory, port);
    const hello = new Backend(server);    /* a channel has its epoch from its first message on */
    for (const channel of CHANNELS) {
      const message = book.compose(random, channel);
      book.acknowledge('backend', message, await hello.publish(channel, message.data, { key: message.key }));
    }
    hello.close();
    world.server = server;
    const people = [
      ...Array.from({ length: HTTP_PUBLISHERS }, () => publishOverHttp(world)),
      ...CHANNELS.slice(1).map((channel, i) => publishAsClient(world, `client${i}`, channel)),
      ...followers.map((follower) => read(world, follower)),
    ];
    const all = Promise.all(people);
    all.catch(() => {});    /* looked at in each round */
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await Promise.race([all, sleep(50 + random(ROUND_MS))]);
        world.server = undefined;
        await end(server, random);
        assertQuiet(server.stderr());
        server = await start(world, directory, port);
        await book.read(server);
        for (const follower of followers) book.checkReader(follower);
        world.server = server;
      }
      world.isOver = true;
      await within(all, 'publishers and readers to end');
      await book.read(server);
      for (const follower of followers) {
        if (!follower.isOpen) assert.ok(await follower.open(server));
        for (const channel of CHANNELS) await follower.untilAt(channel, book.kept.get(channel).length);
        book.checkReader(follower);
        for (const channel of CHANNELS) {
          const got = follower.got.get(channel);
          assert.equal(got.length, book.kept.get(channel).length - got[0].offset + 1, 'it missed nothing');
        }
      }
      await book.readAll(server);
      console.log(`${book.keys.size} kept, ${book.acknowledged.size} acknowledged, ${book.repeats} repeats, `
        + `${followers.reduce((sum, { replayed }) => sum + replayed, 0)} replayed`);
      followers.forEach((follower) => follower.cut());
      assert.deepEqual(await within(server.stop(), 'the server to stop'), { code: 0, signal: null }, server.stderr());
      assertQuiet(server.stderr());
    } finally {
      world.isOver = true;
      followers.forEach((follower) => follower.cut());
      await server.kill();
    }
  });
