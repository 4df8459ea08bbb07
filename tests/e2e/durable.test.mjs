/* tests/e2e/durable.test.mjs - what the durable log keeps over a restart, whichever way the server ended; what it says
 * of directories it cannot use; what goes on when it cannot be written. Kills at random moments: crash.test.mjs. */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync, cpSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { appArgs, openPeers, Peer } from './channels.mjs';
import { Backend, dataDir, durableArgs } from './kept.mjs';
import {
  assertQuiet, connect, counters, SEED, sized, sleep, until, untilCounters, within,
} from './support.mjs';
import { startServer } from './server.mjs';

const TEST_MS = sized(150_000, 3_600_000);
const APP_ARGS = appArgs('client_events_per_second=10000 channels_max=1000');
const ROW_BYTES = 100;    /* what a message of few bytes takes at least */
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const numbers = ({ items }) => items.map(({ data }) => Number(data));

/* --- servers that follow each other ------------------------------------------------------------------------------- */

/* One directory and one server after the other on it.
 *   server      the present one
 *   backend     of it
 *   restart()   ends it, by SIGKILL or SIGTERM, and starts the next */
class Place {
  constructor(shards, settings = '', args = []) {
    this.directory = dataDir();
    this.args = [...APP_ARGS, '--shards', String(shards), ...durableArgs(this.directory, settings), ...args];
  }

  async start() {
    this.server = await startServer(this.args, { port: this.server?.port });
    this.backend = new Backend(this.server);
  }

  async end(signal, expected) {
    this.backend.close();
    const ending = await within(signal === 'SIGKILL' ? this.server.kill() : this.server.stop(), 'the server to end');
    assertQuiet(this.server.stderr(), expected);
    const wanted = signal === 'SIGKILL' ? { code: null, signal } : { code: 0, signal: null };
    assert.deepEqual(ending, wanted, this.server.stderr());
  }

  async restart(signal) {
    await this.end(signal);
    await this.start();
  }

  /* Publishes numbers from..to, each message with the size that data is padded to; returns the epoch. */
  async publish(channel, from, to, { bytes = 0 } = {}) {
    const batch = range(from, to).map((number) => (
      { name: 'ev', channel, data: String(number).padEnd(bytes), info: 'position' }));
    let epoch;
    for (let i = 0; i < batch.length; i += 10) {
      const some = { batch: batch.slice(i, i + 10) };
      const { status, body } = await this.backend.call('POST', '/batch_events', { body: some });
      assert.equal(status, 200, JSON.stringify(body));
      body.batch.forEach(({ offset }, k) => assert.equal(offset, from + i + k));
      epoch = body.batch[0].epoch;
    }
    return epoch;
  }
}

/* A test on 1 shard and on 4; what differs by how the server ends is run both ways. */
function placeTest(title, { settings, args, expected, ways = [[4, 'SIGKILL']] }, body) {
  for (const [shards, signal] of ways) {
    test(`${title}, on ${shards} shards, ended by ${signal}`, { timeout: TEST_MS }, async () => {
      const place = new Place(shards, settings, args);
      await place.start();
      try {
        await body(place, signal);
        await place.end('SIGTERM', expected);
      } finally {
        await place.server.kill();
      }
    });
  }
}

const BOTH = [[1, 'SIGKILL'], [1, 'SIGTERM'], [4, 'SIGKILL'], [4, 'SIGTERM']];
const CROSSED = [[1, 'SIGKILL'], [4, 'SIGTERM']];

/* Subscribes and takes the events that were missed. */
async function resume(peer, channel, epoch, offset, last) {
  const success = await peer.subscribe(channel, { recover: { epoch, offset } });
  assert.deepEqual(success, { offset: last, epoch, recovered: true });
  for (const number of range(offset + 1, last)) {
    const frame = await peer.next(`${channel} ${number}`);
    assert.deepEqual([frame.event, frame.channel, Number(frame.data), frame.offset, frame.epoch],
      ['ev', channel, number, number, epoch]);
  }
}

async function sayAs(peer, channel, data, id) {
  peer.sendText(JSON.stringify({ event: 'client-ev', channel, data, id }));
  return ackTo(peer);
}

async function ackTo(peer) {
  const { event, data } = await peer.next('an acknowledgement');
  assert.equal(event, 'pusher_internal:ringcast_ack');
  return JSON.parse(data);
}

/* --- order -------------------------------------------------------------------------------------------------------- */

test('what is not kept does not overtake what is', { timeout: TEST_MS }, async () => {
  for (const shards of [1, 4]) {
    const place = new Place(shards);
    await place.start();
    const [writer, reader] = [await connect(place.server, '/room/a'), await connect(place.server, '/room/a')];
    for (let i = 0; i < 50; i++) {
      writer.send(`header ${i}`);
      writer.send(Buffer.from([i]));    /* a binary message is no event: no history keeps it */
    }
    for (let i = 0; i < 50; i++) {
      assert.equal(await reader.inbox.next(), `header ${i}`);
      assert.deepEqual(await reader.inbox.next(), Buffer.from([i]));
    }
    await place.end('SIGTERM');
  }
});

/* --- over a restart ----------------------------------------------------------------------------------------------- */

placeTest('epoch, offsets and messages outlive the server', { ways: BOTH }, async (place, signal) => {
  const channels = ['room-a', 'private-a', 'presence-a'];
  const epochs = new Map();
  for (const channel of channels) epochs.set(channel, await place.publish(channel, 1, 5));
  for (const rounds of [1, 2]) {
    const last = 5 * rounds;
    const ann = await Peer.open(place.server);
    await resume(ann, 'room-a', epochs.get('room-a'), last - 2, last);
    await place.restart(signal);
    for (const channel of channels) {
      const epoch = epochs.get(channel);
      assert.equal(await place.publish(channel, last + 1, last + 5), epoch);
      const history = await place.backend.history(channel);
      assert.deepEqual([numbers(history), history.offset, history.epoch], [range(1, last + 5), last + 5, epoch]);
    }
    const again = await Peer.open(place.server);
    await resume(again, 'room-a', epochs.get('room-a'), last, last + 5);
    await again.expectQuiet();
    await again.leave();
  }
});

placeTest('who asks first after a restart gets what it missed', {}, async (place, signal) => {
  const epoch = await place.publish('room-a', 1, 20);
  await place.restart(signal);
  const peers = await Promise.all(range(1, 5).map(() => Peer.open(place.server)));
  await Promise.all(peers.map((peer, i) => resume(peer, 'room-a', epoch, 3 * i, 20)));    /* all wait for one reading */
  await place.restart(signal);
  const late = await Peer.open(place.server);
  assert.deepEqual(await late.subscribe('room-a', { recover: true }), { offset: 20, epoch, recovered: false });
  assert.equal((await late.subscribe('room-b', { recover: { epoch, offset: 3 } })).recovered, false);
  await late.expectQuiet();
  await place.restart(signal);
  const { items } = await place.backend.page('room-a', { limit: 2 });
  assert.deepEqual(items.map(({ offset }) => offset), [19, 20]);
});

placeTest('names, data, people and times come back as they were', {}, async (place, signal) => {
  const texts = ['', 'a "quoted" \\ text', '{"json":[1,2.50,null]}', 'zero \u0000 one \u001f', '\u00e9\u{1f600}\u2028',
    'x'.repeat(10_000)];
  const [ann, ben] = [await Peer.open(place.server), await Peer.open(place.server)];
  await ann.subscribe('presence-a', { member: { user_id: 'ann "the" first' } });
  for (const text of texts) {
    await place.backend.publish('presence-a', text, { name: `ev ${text.slice(0, 20)}` });
    assert.ok((await sayUntilAcked(ann, 'presence-a', text)).offset > 0);
  }
  const before = await place.backend.history('presence-a');
  await ben.leave();
  await place.restart(signal);
  assert.deepEqual(await place.backend.history('presence-a'), before);
  assert.deepEqual(before.items.map(({ data }) => data), texts.flatMap((text) => [text, text]));
  assert.deepEqual([...new Set(before.items.map(({ user_id: id }) => id))], [undefined, 'ann "the" first']);
});

/* The backend's events come in between. */
async function sayUntilAcked(peer, channel, data) {
  peer.sendText(JSON.stringify({ event: 'client-ev', channel, data, id: `id of ${data.length}` }));
  for (;;) {
    const frame = await peer.next('an acknowledgement');
    if (frame.event === 'pusher_internal:ringcast_ack') return JSON.parse(frame.data);
  }
}

placeTest('nothing is published twice because of a restart', { ways: CROSSED }, async (place, signal) => {
  const body = { name: 'ev', channels: ['room-a', 'room-b'], data: '1', idempotency_key: 'k "1"', info: 'position' };
  const first = await place.backend.call('POST', '/events', { body });
  const ann = await Peer.open(place.server);
  await ann.subscribe('private-a');
  const acked = await sayAs(ann, 'private-a', 'hello', 'id \u00e9');
  assert.equal(acked.offset, 1);
  await place.restart(signal);
  const again = await place.backend.call('POST', '/events', { body });
  assert.deepEqual([again.status, again.body], [200, first.body]);
  const ben = await Peer.open(place.server);
  await ben.subscribe('private-a');
  assert.deepEqual(await sayAs(ben, 'private-a', 'hello', 'id \u00e9'), acked);
  assert.equal((await sayAs(ben, 'private-a', 'other', 'another id')).offset, 2);
  for (const channel of ['room-a', 'room-b']) assert.equal((await place.backend.history(channel)).items.length, 1);
  assert.equal((await place.backend.history('private-a')).items.length, 2);
});

/* As many ids of clients, who may be anybody, as there may be keys in all. */
placeTest("ids of clients do not make a backend's key forgotten",
  { args: ['--repeat-keys-max', '1000'] }, async (place, signal) => {
    const body = { name: 'ev', channels: ['private-a'], data: '1', idempotency_key: 'order-17', info: 'position' };
    const first = await place.backend.call('POST', '/events', { body });
    const ann = await Peer.open(place.server);
    await ann.subscribe('private-a');
    const ids = range(1, 1001).map((number) => `id ${number}`);
    for (const id of ids) {
      ann.sendText(JSON.stringify({ event: 'client-ev', channel: 'private-a', data: '', id }));
      const { event, data } = await ann.next('an acknowledgement');
      assert.deepEqual([event, JSON.parse(data).id], ['pusher_internal:ringcast_ack', id]);
    }
    for (let times = 0; times < 2; times += 1) {
      const again = await place.backend.call('POST', '/events', { body });
      assert.deepEqual([again.status, again.body], [200, first.body]);
      await place.restart(signal);
    }
  });

placeTest('names that somebody made up ask the store nothing and leave nothing', {}, async (place, signal) => {
  const strangers = sized(1, 150);
  await place.publish('room-a', 1, 3);
  await place.restart(signal);    /* which names it has is learnt anew */
  await (await Peer.open(place.server)).leave();    /* without a connection no counters are told */
  const before = await counters(place.server);
  for (const stranger of range(1, strangers)) {
    const ann = await Peer.open(place.server);
    const names = range(1, 1000).map((number) => `name-${stranger}-${number}-${SEED}`);
    for (const name of names) ann.askFor(name, { recover: true });
    for (const name of names) assert.match((await ann.next(name)).event, /:subscription_succeeded$/);
    if (stranger % 50 === 1) {
      const { channels, history_bytes: bytes } = await counters(place.server);
      assert.ok(bytes >= names.length * 500 && channels <= 2 * names.length, `${bytes} bytes, ${channels} channels`);
    }
    for (const name of names) ann.send('pusher:unsubscribe', { channel: name });
    await ann.expectQuiet();
    await ann.leave();
  }
  const { store_reads: reads } = await untilCounters(place.server,
    ({ channels: left, history_bytes: bytes }) => left === 0 && bytes === 0, 'all of them to be gone');
  assert.ok(reads - before.store_reads <= strangers * 1000 / 50, `${reads} reads`);
  assert.deepEqual((await place.backend.history('room-a')).items.map(({ offset }) => offset), [1, 2, 3]);
});

/* --- more than memory holds --------------------------------------------------------------------------------------- */

placeTest('pages and resumes reach beyond the window in memory',
  { settings: 'size=10000', args: ['--replay-bytes-max', '256KiB'] }, async (place, signal) => {
    const count = 1300;
    const epoch = await place.publish('room-a', 1, count);
    for (let times = 0; times < 2; times++) {    /* as it came in, then as it was read again */
      const { items } = await place.backend.history('room-a');
      assert.deepEqual(items.map(({ offset }) => offset), range(1, count));
      const oldest = await place.backend.page('room-a', { before: 30, limit: 10 });
      assert.deepEqual([numbers(oldest), oldest.more], [range(20, 29), true]);
      const first = await place.backend.page('room-a', { before: 11, limit: 10 });
      assert.deepEqual([numbers(first), first.more], [range(1, 10), false]);
      const peer = await Peer.open(place.server);
      await resume(peer, 'room-a', epoch, 0, count);
      await peer.expectQuiet();
      await peer.leave();
      await place.restart(signal);
    }
  });

placeTest('a replay is bounded, not cut short', { args: ['--replay-bytes-max', '32KiB'] },
  async (place, signal) => {
    const epoch = await place.publish('room-a', 1, 100, { bytes: 1000 });
    await place.restart(signal);
    const peer = await Peer.open(place.server);
    assert.deepEqual(await peer.subscribe('room-a', { recover: { epoch, offset: 10 } }),
      { offset: 100, epoch, recovered: false });
    await peer.expectQuiet();
    const other = await Peer.open(place.server);
    await resume(other, 'room-a', epoch, 80, 100);
    assert.equal((await place.backend.history('room-a')).items.length, 100);
  });

placeTest('a live event does not overtake what comes from the store', { settings: 'size=10000' },
  async (place) => {
    const epoch = await place.publish('room-a', 1, 1200);
    const peers = await Promise.all(range(1, 8).map(() => Peer.open(place.server)));
    const last = 1300;
    const publishing = place.publish('room-a', 1201, last);
    await Promise.all(peers.map(async (peer, i) => {
      await sleep(5 * i);
      peer.askFor('room-a', { recover: { epoch, offset: i } });
      const { data } = await peer.next('the success');
      assert.equal(JSON.parse(data).recovered, true);
      for (const number of range(i + 1, last)) assert.equal((await peer.next()).offset, number);
      await peer.expectQuiet();
    }));
    await publishing;
  });

/* --- retention ---------------------------------------------------------------------------------------------------- */

placeTest('size bounds what is kept', { settings: 'size=50' }, async (place, signal) => {
  const epoch = await place.publish('room-a', 1, 200);
  for (let times = 0; times < 2; times++) {
    const { items, offset } = await place.backend.history('room-a');
    assert.equal(offset, 200);
    assert.ok(items.length >= 50 && items.length <= 54, `${items.length} are kept: a sixteenth more may be`);
    assert.deepEqual(numbers({ items }), range(201 - items.length, 200));
    for (const [from, recovered] of [[140, false], [150, true]]) {
      const peer = await Peer.open(place.server);
      assert.equal((await peer.subscribe('room-a', { recover: { epoch, offset: from } })).recovered, recovered, from);
      await peer.leave();
    }
    await place.restart(signal);
  }
});

placeTest('ttl bounds what is kept, and not the offsets', { settings: 'ttl=2s' }, async (place, signal) => {
  const epoch = await place.publish('room-a', 1, 10);
  await place.restart(signal);
  await until(async () => (await place.backend.page('room-a', {})).items.length === 0, 'the end of ttl', { poll: 200 });
  await place.restart(signal);
  const { items, offset, epoch: after } = await place.backend.page('room-a', {});
  assert.deepEqual([items, offset, after], [[], 10, epoch]);
  assert.equal(await place.publish('room-a', 11, 11), epoch);
  const peer = await Peer.open(place.server);
  assert.equal((await peer.subscribe('room-a', { recover: { epoch, offset: 5 } })).recovered, false);
});

/* --- directories that cannot be used ------------------------------------------------------------------------------ */

/* Runs a server to its end; it must refuse to start. Returns its complaint. */
async function refusedStart(directory, { command = [] } = {}) {
  const [file, ...args] = [...command, process.env.RINGCAST, '--listen', '127.0.0.1:0', ...APP_ARGS,
    ...durableArgs(directory)];
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
  try {
    const [code, signal] = await within(once(child, 'close'), 'a server to end');
    assert.deepEqual([code, signal], [1, null], stderr);
    assertQuiet(stderr);
    const complaints = stderr.split('\n').filter((line) => line.startsWith('ringcast: '));
    assert.equal(complaints.length, 1, stderr);
    return complaints[0];
  } finally {
    child.kill('SIGKILL');
  }
}

test('two servers do not share a directory', { timeout: TEST_MS }, async () => {
  const place = new Place(2);
  await place.start();
  try {
    const epoch = await place.publish('room-a', 1, 2);
    const complaint = await refusedStart(place.directory);
    const { directory, server: { pid } } = place;
    assert.match(complaint, new RegExp(`${directory} is used by another ringcast, process ${pid}: `));
    assert.equal(await place.publish('room-a', 3, 4), epoch);
    await place.restart('SIGKILL');    /* nothing is left that keeps the next one out */
    assert.equal(await place.publish('room-a', 5, 6), epoch);
    await place.end('SIGTERM');
  } finally {
    await place.server.kill();
  }
});

const databaseOf = (directory) => join(directory, 'ringcast.db');

/* A directory with a database that has something in it; kept apart from its log when the server ended well. */
async function usedDirectory() {
  const place = new Place(1);
  await place.start();
  await place.publish('room-a', 1, 300, { bytes: 1000 });
  await place.end('SIGTERM');
  return place.directory;
}

test('a directory that cannot be used is refused in a sentence, and stays as it is', { timeout: TEST_MS }, async () => {
  const used = await usedDirectory();
  const overwrite = (path, at, bytes) => {
    const file = openSync(path, 'r+');
    writeSync(file, bytes, 0, bytes.length, at);
    closeSync(file);
  };
  for (const [name, spoil, sentence] of [
    ['a file', (path) => writeFileSync(path, 'x'), /not a directory|Not a directory|is a file/],
    ['its parent is missing', () => {}, /parent/],
    ['a foreign file', (path) => {
      mkdirSync(path);
      writeFileSync(databaseOf(path), 'this is my diary\n'.repeat(100));
    }, /is no database, or is damaged/],
    ['a short file', (path) => {
      mkdirSync(path);
      writeFileSync(databaseOf(path), 'x');
    }, /is no database, or is damaged/],
    ['of another program', (path) => overwrite(databaseOf(path), 68, Buffer.from('ABCD')), /another program/],
    ['of a newer version', (path) => overwrite(databaseOf(path), 60, Buffer.from([0, 0, 0, 99])), /version 99/],
    ['pages overwritten', (path) => {
      const { size } = statSync(databaseOf(path));
      overwrite(databaseOf(path), 4096, Buffer.alloc(size - 4096, 0xa5));
    }, /corrupt/],
    ['cut in half', (path) => {
      const half = readFileSync(databaseOf(path));
      writeFileSync(databaseOf(path), half.subarray(0, half.length >> 1));
    }, /corrupt|damaged/],
    ['a log without its database', (path) => {
      mkdirSync(path);
      writeFileSync(`${databaseOf(path)}-wal`, 'x'.repeat(4096));
    }, /missing/],
  ]) {
    const isOfRingcast = /^(of|pages|cut)/.test(name);
    let path = dataDir();
    if (isOfRingcast) cpSync(used, path, { recursive: true });
    if (name === 'its parent is missing') path = join(path, 'deeper');
    spoil(path);
    const before = isOfRingcast ? readFileSync(databaseOf(path)) : null;
    const complaint = await refusedStart(path);
    assert.match(complaint, sentence, name);
    assert.ok(complaint.includes(path), `${name}: ${complaint}`);
    if (before) assert.ok(before.equals(readFileSync(databaseOf(path))), `${name}: the file is as it was`);
  }
});

/* --- strangers ---------------------------------------------------------------------------------------------------- */

const directoryBytes = (directory) => readdirSync(directory)
  .map((name) => statSync(join(directory, name)).size).reduce((sum, size) => sum + size);

test('one stranger does not fill the disk, and takes nothing from channels',
  { timeout: TEST_MS, skip: !process.env.RINGCAST_LONG && 'only with RINGCAST_LONG=1' }, async () => {
    const bound = 64 << 20;
    const transaction = 8 << 20;    /* stands in the log first, then in the database too */
    const place = new Place(2, '', ['--store-disk-bytes-max', '64MiB', '--outbox-bytes-max', '64MiB']);
    await place.start();
    try {
      await place.publish('orders', 1, 500, { bytes: 5000 });
      const strangers = await Promise.all(range(1, 25).map((i) => connect(place.server, `/room/r${i}`)));
      const text = 'x'.repeat(50_000);
      for (let sent = 0; sent < 4 * bound; sent += strangers.length * text.length) {
        strangers.forEach((stranger) => stranger.send(text));
        await sleep(10);
        const bytes = directoryBytes(place.directory);
        assert.ok(bytes <= bound + 2 * transaction, `${bytes} bytes`);
      }
      const askForOne = () => place.backend.call('GET', '/channels/orders/history', { params: { limit: '1' } });
      await until(async () => (await askForOne()).status === 200, 'the store to come to the end of it');
      const { items } = await place.backend.history('orders');
      assert.deepEqual(numbers({ items }), range(1, 500));
      await place.end('SIGTERM', /store_disk_bytes_max reached, 64 MiB/);
    } finally {
      await place.server.kill();
    }
  });

/* --- commits that are missing ------------------------------------------------------------------------------------- */

/* A bit in the middle: SQLite reads up to there and says nothing of the rest. */
function flipBit(path) {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(path, bytes);
}

test('offsets that a damaged log took back are not given again in their epoch', { timeout: TEST_MS }, async () => {
  for (const [spoil, sentence] of [
    [(path) => rmSync(path), /ringcast was not stopped, and its log ringcast.db-wal is missing: .* 1 channels begin/],
    [flipBit, /commits stand in the log ringcast.db-wal behind what can be read of it: .* 1 channels begin/],
  ]) {
    const place = new Place(2);
    await place.start();
    try {
      const epoch = await place.publish('room-a', 1, 10);
      await place.restart('SIGTERM');
      assert.equal(await place.publish('room-a', 11, 300), epoch);
      await place.end('SIGKILL');
      spoil(`${databaseOf(place.directory)}-wal`);
      await place.start();
      const { body } = await place.backend.call('POST', '/events',
        { body: { name: 'ev', channel: 'room-a', data: 'x', info: 'position' } });
      const position = body.channels['room-a'];
      assert.ok(position.offset < 300, 'it has begun again before the end');
      assert.notEqual(position.epoch, epoch);
      const peer = await Peer.open(place.server);
      const success = await peer.subscribe('room-a', { recover: { epoch, offset: 300 } });
      assert.deepEqual(success, { ...position, recovered: false });
      await place.end('SIGTERM', sentence);
      assert.match(place.server.stderr(), sentence);
    } finally {
      await place.server.kill();
    }
  }
});

/* --- a disk that is full ------------------------------------------------------------------------------------------ */

/* The largest file that the server may write from now on; only the soft limit, so that it can be raised again. */
function limitFiles(server, bytes) {
  execFileSync('prlimit', ['--pid', String(server.pid), `--fsize=${bytes}:`]);
}

/* What the directory's largest file holds. */
const largest = (directory) => Math.max(...readdirSync(directory).map((name) => statSync(join(directory, name)).size));

const FULL = /durable messages are refused/;
const HEALED = /the store works again/;

placeTest('a full disk costs only what is to be kept', { ways: CROSSED, expected: FULL }, async (place, signal) => {
  const epoch = await place.publish('room-a', 1, 5);
  const [ann, ben, behind] = await openPeers(place.server, 3);
  for (const peer of [ann, ben]) await peer.subscribe('private-a', { recover: true });
  const first = await sayAs(ann, 'private-a', '1', 'id 1');
  assert.equal(first.offset, 1);
  await ben.expect('client-ev', 'private-a', '1', { offset: 1, epoch: first.epoch });
  await resume(behind, 'room-a', epoch, 5, 5);

  limitFiles(place.server, largest(place.directory) + ROW_BYTES);
  const answer = await until(async () => {    /* what fits may still be taken */
    const { status, headers, body } = await place.backend.call('POST', '/events', {
      body: { name: 'ev', channel: 'room-full', data: 'x'.repeat(9000), idempotency_key: 'full' },
    });
    return status === 200 ? null : { status, headers, body };
  }, 'the store to be full', { poll: 0 });
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers['retry-after']) >= 1);
  const refused = await sayAs(ann, 'private-a', '2', 'id 2');
  assert.deepEqual([refused.id, refused.code, refused.retry], ['id 2', 503, true]);
  assert.match(refused.error, /store/);
  const health = await fetch(`${place.server.url}/health`);
  assert.equal(health.status, 503);
  assert.notEqual((await health.json()).store, 'ok');

  ann.sendText(JSON.stringify({ event: 'client-ev', channel: 'private-a', data: 'live' }));    /* nobody waits for it */
  await ben.expect('client-ev', 'private-a', 'live');
  const raw = await connect(place.server, '/room/room-a');
  raw.send('live too');
  await behind.expect('message', 'room-a', 'live too');
  assert.equal((await place.backend.page('room-a', {})).items.length, 5, 'what is stored can be read');

  limitFiles(place.server, 'unlimited');
  const acked = await until(async () => {
    const ack = await sayAs(ann, 'private-a', '2', 'id 2');
    return ack.retry ? null : ack;
  }, 'the store to work again');
  assert.ok(acked.offset > 1 && acked.epoch === first.epoch, JSON.stringify(acked));
  await ben.expect('client-ev', 'private-a', '2', { offset: acked.offset, epoch: first.epoch });
  await until(() => HEALED.test(place.server.stderr()), 'the log to say so');
  assert.deepEqual(await (await fetch(`${place.server.url}/health`)).json(), { store: 'ok' });
  const { offset } = await place.backend.publish('room-a', '6');
  assert.ok(offset > 5);
  const missed = await Peer.open(place.server);    /* the live ones are gone for those who were not there */
  assert.deepEqual(await missed.subscribe('private-a', { recover: { epoch: first.epoch, offset: 1 } }),
    { offset: acked.offset, epoch: first.epoch, recovered: false });
  assert.equal((await missed.subscribe('room-a', { recover: { epoch, offset: 5 } })).recovered, false);
  const there = await Peer.open(place.server);
  assert.equal((await there.subscribe('room-a', { recover: { epoch, offset } })).recovered, true);

  await place.end(signal, FULL);
  await place.start();
  const { items } = await place.backend.history('private-a');
  assert.deepEqual(items.map(({ offset: at, data }) => [at, data]), [[1, '1'], [acked.offset, '2']]);
});

test('a directory that vanishes is trouble, not silence', { timeout: TEST_MS }, async () => {
  const place = new Place(2);
  await place.start();
  try {
    await place.publish('room-a', 1, 5);
    rmSync(place.directory, { recursive: true });
    const health = await until(async () => {
      const answer = await fetch(`${place.server.url}/health`);
      return answer.status === 503 ? answer.json() : null;
    }, 'the server to notice');
    assert.equal(health.store, 'its files were removed or replaced');
    const body = { name: 'ev', channel: 'room-a', data: '6' };
    assert.equal((await place.backend.call('POST', '/events', { body })).status, 503);
    const [ann, ben] = [await connect(place.server, '/room/a'), await connect(place.server, '/room/a')];
    ann.send('nobody waits for this');
    assert.equal(await ben.inbox.next(), 'nobody waits for this');
    await place.end('SIGTERM', new RegExp(`${place.directory} is gone, .*: move it back, or stop ringcast`));
  } finally {
    await place.server.kill();
  }
});

test('a disk that is full at the start is a sentence', { timeout: TEST_MS }, async () => {
  const complaint = await refusedStart(dataDir(), { command: ['bash', '-c', 'ulimit -S -f 1; exec "$0" "$@"'] });
  assert.match(complaint, /ringcast\.db/);
});
