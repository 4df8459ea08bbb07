/* tests/e2e/history.test.mjs - what channels keep in memory: positions, resuming, pages, keys. The durable ones are in
 * durable.test.mjs. */

import assert from 'node:assert/strict';
import { connect, counters, sleep, untilCounters } from './support.mjs';
import { backend, call, channelTest, Peer } from './channels.mjs';

const KEEP = ['--history', 'kept-*', '--history', 'private-kept-* client_events=yes',
  '--history', 'presence-kept-* client_events=yes', '--history', 'cache-kept-*', '--history', 'few-* size=3',
  '--history', 'lobby'];
const ANN = { member: { user_id: 'ann', user_info: { name: 'Ann' } } };

/* Publishes numbers from..to as events "ev"; returns the epoch. */
async function publish(server, channel, from, to) {
  let epoch;
  for (let number = from; number <= to; number++) {
    const { body } = await call(server, 'POST', '/events', {
      body: { name: 'ev', channel, data: String(number), info: 'position' },
    });
    ({ epoch } = body.channels[channel]);
    assert.equal(body.channels[channel].offset, number);
  }
  return epoch;
}

async function expectNumbers(peer, channel, epoch, from, to) {
  for (let number = from; number <= to; number++) {
    await peer.expect('ev', channel, String(number), { offset: number, epoch });
  }
}

const numbers = (answer) => answer.items.map(({ data }) => Number(data));

/* Asks for a page over the connection. */
async function page(peer, channel, asked = {}) {
  peer.send('pusher:ringcast_history', { channel, rid: 7, ...asked });
  const frame = await peer.next('a page');
  assert.deepEqual([frame.event, frame.channel], ['pusher_internal:ringcast_history', undefined]);
  const answer = JSON.parse(frame.data);
  assert.equal(answer.rid, 7);
  return answer;
}

async function ack(peer) {
  const frame = await peer.next('an acknowledgement');
  assert.deepEqual([frame.event, frame.channel], ['pusher_internal:ringcast_ack', undefined]);
  return JSON.parse(frame.data);
}

channelTest('events tell where they stand, only in channels that keep them', { args: KEEP }, async (server) => {
  const peer = await Peer.open(server);
  await peer.subscribe('kept-a');
  await peer.subscribe('other');
  const epoch = await publish(server, 'kept-a', 1, 3);
  assert.match(epoch, /^[a-z0-9]{8}$/);
  await expectNumbers(peer, 'kept-a', epoch, 1, 3);
  const { body } = await call(server, 'POST', '/events', {
    body: { name: 'ev', channels: ['other', 'kept-a'], data: '4', info: 'position,subscription_count' },
  });
  assert.deepEqual(body.channels, {
    other: { subscription_count: 1 }, 'kept-a': { subscription_count: 1, offset: 4, epoch },
  });
  const frames = [await peer.next(), await peer.next()].sort((a, b) => a.channel.localeCompare(b.channel));
  assert.deepEqual(frames, [
    { event: 'ev', channel: 'kept-a', data: '4', offset: 4, epoch }, { event: 'ev', channel: 'other', data: '4' },
  ]);
  await peer.expectQuiet();
});

channelTest('who asks is told the position, and gets what it missed', { args: KEEP }, async (server) => {
  const epoch = await publish(server, 'kept-a', 1, 5);
  const table = [
    [true, { offset: 5, epoch, recovered: false }, []],
    [{ epoch, offset: 3 }, { offset: 5, epoch, recovered: true }, [4, 5]],
    [{ epoch, offset: 0 }, { offset: 5, epoch, recovered: true }, [1, 2, 3, 4, 5]],
    [{ epoch, offset: 5 }, { offset: 5, epoch, recovered: true }, []],
    [{ epoch, offset: 6 }, { offset: 5, epoch, recovered: false }, []],
    [{ epoch: 'aaaaaaaa', offset: 3 }, { offset: 5, epoch, recovered: false }, []],
    [{ epoch: 'much longer than that', offset: 3 }, { offset: 5, epoch, recovered: false }, []],
    [false, {}, []],
    [null, {}, []],
  ];
  for (const [recover, success, missed] of table) {
    const peer = await Peer.open(server);
    assert.deepEqual(await peer.subscribe('kept-a', { recover }), success, JSON.stringify(recover));
    for (const number of missed) await peer.expect('ev', 'kept-a', String(number), { offset: number, epoch });
    await peer.expectQuiet();
    assert.deepEqual(await peer.subscribe('plain', { recover: true }), {}, 'a channel without history');
    await peer.leave();
  }
  const peer = await Peer.open(server);
  for (const recover of [7, 'yes', [], { epoch }, { offset: 3 }, { epoch, offset: -1 }, { epoch, offset: '3' }]) {
    peer.askFor('kept-a', { recover });
    await peer.expectRefusal('kept-a', { type: 'BadRequest', status: 400 });
  }
  await peer.expectQuiet();
});

channelTest('what a channel keeps is bounded, what is gone is not missed silently', { args: KEEP }, async (server) => {
  const epoch = await publish(server, 'few-a', 1, 10);
  for (const [offset, recovered] of [[6, false], [7, true], [0, false]]) {
    const peer = await Peer.open(server);
    assert.deepEqual(await peer.subscribe('few-a', { recover: { epoch, offset } }), { offset: 10, epoch, recovered });
    if (recovered) await expectNumbers(peer, 'few-a', epoch, 8, 10);
    await peer.expectQuiet();
    await peer.leave();
  }
});

channelTest('a history outlives its hearers for a time', { args: ['--history', '* ttl=2s'] }, async (server) => {
  const peer = await Peer.open(server);
  assert.equal((await peer.subscribe('a', { recover: true })).offset, 0);
  const epoch = await publish(server, 'a', 1, 2);
  await peer.leave();
  const second = await Peer.open(server);
  const success = await second.subscribe('a', { recover: { epoch, offset: 1 } });
  assert.deepEqual(success, { offset: 2, epoch, recovered: true });
  await expectNumbers(second, 'a', epoch, 2, 2);
  await second.leave();
  let late;
  for (let tries = 0; tries < 40; tries++) {    /* in time both the messages and the epoch are forgotten */
    const third = await Peer.open(server);
    late = await third.subscribe('a', { recover: true });
    await third.leave();
    if (late.epoch !== epoch) break;
    await sleep(2500);    /* asking anew keeps it, so the pause is longer than ttl */
  }
  assert.notEqual(late.epoch, epoch);
  assert.equal(late.offset, 0);
});

channelTest('a page says whether it is all that came since', { args: KEEP }, async (server) => {
  const peer = await Peer.open(server);
  await peer.subscribe('few-a');
  const epoch = await publish(server, 'few-a', 1, 10);    /* of which 8 to 10 are kept */
  await expectNumbers(peer, 'few-a', epoch, 1, 10);
  for (const [params, complete] of [[{ since: 7 }, true], [{ since: 6 }, false], [{ since: 10 }, true],
    [{ since: 11 }, false], [{ since: 7, epoch }, true], [{ since: 7, epoch: 'aaaaaaaa' }, false]]) {
    const { body } = await call(server, 'GET', '/channels/few-a/history', { params });
    assert.equal(body.complete, complete, JSON.stringify(params));
  }
});

channelTest('what all windows hold is bounded, also by the one that is used', {
  args: ['--history', '* bytes=64MiB size=100000', '--history-bytes-max', '64KiB'],
}, async (server) => {
  const data = 'x'.repeat(9000);
  for (let i = 0; i < 30; i++) await backend(server).trigger('a', 'ev', data);
  const { body } = await call(server, 'GET', '/channels/a/history', { params: { since: 0, limit: 100 } });
  const offsets = body.items.map(({ offset }) => offset);
  assert.ok(offsets.length >= 1 && offsets.length < 8, `${offsets}`);
  assert.equal(offsets.at(-1), 30);
  assert.equal(body.complete, false);
});

channelTest('a room is the same history, raw or not', { args: KEEP }, async (server) => {
  const raw = await connect(server, '/');
  const other = await connect(server, '/room/lobby');
  raw.send('one "quoted"');
  assert.equal(await other.inbox.next(), 'one "quoted"');
  raw.send(Buffer.from([1, 2, 3]));
  assert.deepEqual(await other.inbox.next(), Buffer.from([1, 2, 3]));
  await backend(server).trigger('lobby', 'message', 'two');
  assert.equal(await other.inbox.next(), 'two');
  await backend(server).trigger('lobby', 'else', 'three');
  const peer = await Peer.open(server);
  const { epoch, offset } = await peer.subscribe('lobby', { recover: true });
  assert.equal(offset, 3, 'a binary message is no event and has no place');
  const { items } = await page(peer, 'lobby');
  assert.deepEqual(items.map(({ name, data }) => [name, data]),
    [['message', 'one "quoted"'], ['message', 'two'], ['else', 'three']]);
  peer.send('pusher:ringcast_publish', { channel: 'lobby', data: 'four', id: 'x' });
  assert.deepEqual(await ack(peer), { id: 'x', channel: 'lobby', offset: 4, epoch });
  assert.equal(await other.inbox.next(), 'four');
  raw.send('five');
  await peer.expect('message', 'lobby', 'five', { offset: 5, epoch });
  assert.equal(await other.inbox.next(), 'five');
  await peer.expectQuiet();
});

channelTest('a room takes events of its channel clients only as rooms do', { args: KEEP }, async (server) => {
  const peer = await Peer.open(server);
  await peer.subscribe('private-kept-a');
  for (const [data, error, code] of [
    [{ channel: 'lobby', data: 'x', id: 'a' }, /not subscribed/, 403],
    [{ channel: 'private-kept-a', data: 'x', id: 'b' }, /public channels/, 403],
    [{ channel: 'lobby', data: { no: 'text' }, id: 'c' }, /strings/, 400],
    [{ data: 'x', id: 'd' }, /strings/, 400],
  ]) {
    peer.send('pusher:ringcast_publish', data);
    const answer = await ack(peer);
    assert.deepEqual([answer.id, answer.code, answer.retry], [data.id, code, false]);
    assert.match(answer.error, error);
  }
  peer.send('pusher:ringcast_publish', { channel: 'lobby', data: 'x' });
  await peer.expectError(null, /not subscribed/);
  for (const id of ['', 'x'.repeat(65), 7, 'a\nb']) {
    peer.send('pusher:ringcast_publish', { channel: 'lobby', data: 'x', id });
    await peer.expectError(null, /its id is a string/);
  }
});

channelTest('client events are kept where the rule says so, and acknowledged to who wants it', { args: KEEP },
  async (server) => {
    const [ann, ben] = [await Peer.open(server), await Peer.open(server)];
    const first = await ann.subscribe('presence-kept-a', { ...ANN, recover: true });
    assert.deepEqual(Object.keys(first).sort(), ['epoch', 'offset', 'presence', 'recovered']);
    assert.equal(first.presence.count, 1);
    await ben.subscribe('presence-kept-a', { member: { user_id: 'ben' } });
    await ann.next('that ben came');
    const say = (peer, channel, data, id) => peer.sendText(JSON.stringify({ event: 'client-ev', channel, data, id }));
    say(ann, 'presence-kept-a', 'hello', 'first "one"');
    assert.deepEqual(await ack(ann), { id: 'first "one"', channel: 'presence-kept-a', offset: 1, epoch: first.epoch });
    await ben.expect('client-ev', 'presence-kept-a', 'hello', { user_id: 'ann', offset: 1, epoch: first.epoch });
    const { items } = await page(ben, 'presence-kept-a');
    assert.deepEqual({ ...items[0], time_ms: 0 },
      { offset: 1, name: 'client-ev', data: 'hello', time_ms: 0, user_id: 'ann' });
    assert.ok(Math.abs(Date.now() - items[0].time_ms) < 600_000, 'the time it was published');
    /* where they are not kept */
    await ann.subscribe('private-plain');
    await ben.subscribe('private-plain');
    say(ann, 'private-plain', 'x', 'second');
    assert.deepEqual(await ack(ann), { id: 'second', channel: 'private-plain' });
    await ben.expect('client-ev', 'private-plain', 'x');
    const refused = await page(ben, 'private-plain');
    assert.equal(refused.code, 404);
    say(ann, 'private-nowhere', 'x', 'third');
    assert.equal((await ack(ann)).code, 403);
    await ben.expectQuiet();
  });

channelTest('pages do not pile up for who does not read them', {
  args: ['--history', '* bytes=4MiB', '--outbox-bytes-max', '256KiB', '--outbox-age-ms-max', '10m'],
}, async (server) => {
  const peer = await Peer.open(server);
  await peer.subscribe('a');
  for (let i = 0; i < 100; i++) {
    await backend(server).trigger('a', 'ev', 'x'.repeat(10_000));
    await peer.next('the event');
  }
  peer.client.pause();
  for (let rid = 0; rid < 40; rid++) peer.send('pusher:ringcast_history', { channel: 'a', rid, limit: 100 });
  const PAGE = 100 * 10_200; /* bytes, about */
  await untilCounters(server, (now) => now.questions_put_off > 0, 'a question that waits');
  assert.ok((await counters(server)).outbox_bytes < 2 * PAGE, 'one page waits, not forty');
  peer.client.resume();
  for (let rid = 0; rid < 40; rid++) {
    const answer = JSON.parse((await peer.next('an answer')).data);
    assert.deepEqual([answer.rid, answer.items?.length], [rid, 100]);
  }
});

channelTest('an id of a client is no key of a backend', { args: KEEP }, async (server) => {
  const [ann, ben] = [await Peer.open(server), await Peer.open(server)];
  for (const channel of ['private-kept-a', 'private-plain']) {
    for (const peer of [ann, ben]) await peer.subscribe(channel);
    ann.sendText(JSON.stringify({ event: 'client-ev', channel, data: 'guessed', id: 'order-17' }));
    await ack(ann);
    const body = { name: 'paid', channels: [channel], data: 'yes', idempotency_key: 'order-17' };
    for (let i = 0; i < 2; i++) assert.equal((await call(server, 'POST', '/events', { body })).status, 200);
    const names = [(await ben.next()).event, (await ben.next()).event];
    assert.deepEqual(names, ['client-ev', 'paid']);
    assert.equal((await ann.next()).event, 'paid');
    await ben.expectQuiet();
  }
});

channelTest('a rule keeps the client events that it names', { args: ['--history', '* client_events=client-message*'] },
  async (server) => {
    const [ann, ben] = [await Peer.open(server), await Peer.open(server)];
    const channel = 'private-a';
    const { epoch } = await ann.subscribe(channel, { recover: true });
    await ben.subscribe(channel);
    const names = ['client-typing', 'client-message', 'client-mess', 'client-message-2', 'client-typing'];
    for (const name of names) ann.send(name, 'x', channel);
    let offset = 0;
    for (const name of names) {
      const position = name.startsWith('client-message') ? { offset: offset += 1, epoch } : {};
      await ben.expect(name, channel, 'x', position);
    }
    const { items } = await page(ann, channel);
    assert.deepEqual(items.map(({ name }) => name), ['client-message', 'client-message-2']);
  });

channelTest('what is repeated with its id is published once', { args: KEEP }, async (server) => {
  const [ann, ben] = [await Peer.open(server), await Peer.open(server)];
  for (const channel of ['private-kept-a', 'private-plain']) {
    await ann.subscribe(channel);
    await ben.subscribe(channel);
    const answers = [];
    for (let i = 0; i < 3; i++) {
      ann.sendText(JSON.stringify({ event: 'client-ev', channel, data: `try ${i}`, id: 'same' }));
      answers.push(await ack(ann));
    }
    assert.deepEqual(answers[1], answers[0]);
    assert.deepEqual(answers[2], answers[0]);
    const { event, data } = await ben.next();
    assert.deepEqual([event, data], ['client-ev', 'try 0']);
    await ben.expectQuiet();
  }
  const body = {
    name: 'ev', channels: ['kept-a', 'plain'], data: 'x', idempotency_key: 'k'.repeat(64), info: 'position',
  };
  const first = await call(server, 'POST', '/events', { body });
  assert.deepEqual((await call(server, 'POST', '/events', { body })).body, first.body);
  assert.equal((await call(server, 'POST', '/events', { body: { ...body, idempotency_key: 'other' } }))
    .body.channels['kept-a'].offset, first.body.channels['kept-a'].offset + 1);
  for (const key of ['', 'k'.repeat(65), 7, 'a\u0000b']) {
    const { status } = await call(server, 'POST', '/events', { body: { ...body, idempotency_key: key } });
    assert.equal(status, 400, JSON.stringify(key));
  }
});

channelTest('pages go both ways, over the connection and over HTTP', { args: KEEP }, async (server) => {
  const peer = await Peer.open(server);
  await peer.subscribe('kept-a');
  const epoch = await publish(server, 'kept-a', 1, 30);
  await expectNumbers(peer, 'kept-a', epoch, 1, 30);
  const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  for (const [asked, wanted, more] of [
    [{}, range(1, 30), false],
    [{ limit: 10 }, range(21, 30), true],
    [{ limit: 10, before: 21 }, range(11, 20), true],
    [{ limit: 10, before: 11 }, range(1, 10), false],
    [{ before: 1 }, [], false],
    [{ limit: 7, since: 20 }, range(21, 27), true],
    [{ limit: 7, since: 27 }, range(28, 30), false],
    [{ since: 30 }, [], false],
    [{ since: 10, before: 13 }, [11, 12], true],
  ]) {
    const over = await page(peer, 'kept-a', asked);
    const facts = [numbers(over), over.more, over.epoch, over.offset];
    assert.deepEqual(facts, [wanted, more, epoch, 30], JSON.stringify(asked));
    const params = Object.fromEntries(Object.entries(asked).map(([name, value]) => [name, String(value)]));
    const { body } = await call(server, 'GET', '/channels/kept-a/history', { params });
    assert.deepEqual([numbers(body), body.more, body.epoch, body.offset], [wanted, more, epoch, 30]);
  }
  const gone = await call(server, 'GET', '/channels/kept-a/history', { params: { since: '29', epoch: 'aaaaaaaa' } });
  assert.equal(gone.body.items.length, 30, 'offsets of another epoch mean nothing');
  for (const params of [{ limit: '0' }, { limit: '1001' }, { since: 'x' }, { since: '-1' }, { before: '' }]) {
    const { status } = await call(server, 'GET', '/channels/kept-a/history', { params });
    assert.equal(status, 400, JSON.stringify(params));
  }
  assert.equal((await call(server, 'GET', '/channels/plain/history')).status, 404);
  const refusals = [[{ channel: 'kept-b' }, 403], [{ limit: 0 }, 400], [{ since: 'x' }, 400], [{ channel: 7 }, 400]];
  for (const [asked, code] of refusals) {
    assert.equal((await page(peer, 'kept-a', asked)).code, code, JSON.stringify(asked));
  }
  peer.send('pusher:ringcast_history', { channel: 'kept-a', rid: { no: 'scalar' } });
  assert.match((await peer.next()).data, /"rid":null,"channel":"","error"/);
});

channelTest('who resumes in a cache channel is not told its last event twice', { args: KEEP }, async (server) => {
  const epoch = await publish(server, 'cache-kept-a', 1, 2);
  const peer = await Peer.open(server);
  await peer.subscribe('cache-kept-a', { recover: { epoch, offset: 1 } });
  await peer.expect('ev', 'cache-kept-a', '2', { offset: 2, epoch });
  await peer.expectQuiet();
  const late = await Peer.open(server);
  await late.subscribe('cache-kept-a', { recover: { epoch: 'aaaaaaaa', offset: 1 } });
  await late.expect('ev', 'cache-kept-a', '2', { offset: 2, epoch });
  await late.expectQuiet();
});

channelTest('a replay has a bound', { args: ['--history', '*', '--replay-bytes-max', '4KiB'] }, async (server) => {
  const data = 'x'.repeat(500);
  let epoch;
  for (let i = 0; i < 20; i++) {
    const event = { name: 'ev', channel: 'a', data, info: 'position' };
    const { body } = await call(server, 'POST', '/events', { body: event });
    ({ epoch } = body.channels.a);
  }
  for (const [offset, recovered] of [[14, true], [2, false]]) {
    const peer = await Peer.open(server);
    assert.equal((await peer.subscribe('a', { recover: { epoch, offset } })).recovered, recovered);
    for (let number = offset + 1; recovered && number <= 20; number++) {
      await peer.expect('ev', 'a', data, { offset: number, epoch });
    }
    const answer = await page(peer, 'a');
    assert.ok(answer.items.length > 0 && answer.items.length < 10 && answer.more, 'a page has the same bound');
    assert.equal(answer.items.at(-1).offset, 20);
  }
});
