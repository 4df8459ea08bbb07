/* tests/e2e/ringcast_js_resume.test.mjs - the client server/web/ringcast.js: history, resume and acknowledged
 * publishing, against a server that plays faults by the script of each test. */

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { randomFrom, SEED, sleep, until, within } from './support.mjs';
import {
  at, authorize, EPOCH, EPOCH_2, inboxOf, joined, Log, mockTest, names, newClient, PATIENT, rejoined, ServingLink,
  settle, startMock, stateOf, TEA,
} from './mock_ringcast.mjs';

/* --- history and resume ------------------------------------------------------------------------------------------- */

describe('resume', () => {
  mockTest('asks for what was missed, and gives nothing twice', async (mock) => {
    const { channel, link } = await joined(mock);
    const inbox = inboxOf(channel, 'event', 'subscribed', 'gap');
    link.send('live', TEA, '6', at(6));
    link.send('again', TEA, '6', at(6));
    link.send('older', TEA, '2', at(2));
    link.send('with a gap', TEA, '40', at(40));
    assert.deepEqual((await inbox.take(2)).map(([what, { offset, isReplayed }]) => [what, offset, isReplayed]),
      [['event', 6, false], ['event', 40, false]]);
    link.cut();
    const { link: second, question } = await rejoined(mock, TEA, { ...at(50), recovered: true });
    assert.deepEqual(question.recover, at(40));
    for (const offset of [40, 41, 45, 45, 50, 53]) second.send('e', TEA, '', at(offset));
    assert.deepEqual(await inbox.next(), ['subscribed', { isFirst: false, recovered: true, position: at(40) }]);
    assert.deepEqual((await inbox.take(4)).map(([, { offset, isReplayed }]) => [offset, isReplayed]),
      [[41, true], [45, true], [50, true], [53, false]]);
    second.cut();    /* in the middle of a replay */
    const { link: third } = await rejoined(mock, TEA, { ...at(60), recovered: true });
    third.send('e', TEA, '', at(55));
    await inbox.take(2);
    third.cut();
    assert.deepEqual((await rejoined(mock, TEA)).question.recover, at(55));
  });

  mockTest('a beginning is no gap', async (mock) => {
    const client = newClient(mock.url);
    const inbox = inboxOf(client.subscribe('tea'), 'subscribed', 'gap');
    client.connect();
    const link = await mock.links.next();
    assert.equal((await link.admit('tea', { ...at(5), recovered: false })).recover, true);
    assert.deepEqual(await inbox.next(), ['subscribed', { isFirst: true, recovered: false, position: at(5) }]);
    await settle(client, link);
    assert.equal(inbox.count, 0);
  });

  mockTest('says plainly when what was missed cannot be had', async (mock) => {
    const { channel, link } = await joined(mock);
    const inbox = inboxOf(channel, 'event', 'subscribed', 'gap');
    link.cut();
    const { link: second } = await rejoined(mock, TEA, { ...at(2, EPOCH_2), recovered: false });
    const position = at(2, EPOCH_2);
    assert.deepEqual(await inbox.take(2), [
      ['subscribed', { isFirst: false, recovered: false, position }], ['gap', { position }],
    ]);
    second.send('live', TEA, '', at(3, EPOCH_2));
    assert.equal((await inbox.next())[1].isReplayed, false);
    second.cut();
    await rejoined(mock, TEA, { ...at(9, EPOCH), recovered: true });    /* of an epoch that was not asked for */
    assert.equal((await inbox.next())[1].recovered, false);
    assert.deepEqual(await inbox.next(), ['gap', { position: at(9) }]);
  });

  mockTest('a new epoch in the middle is a gap', async (mock) => {
    const { channel, link: first } = await joined(mock);
    first.cut();
    const { link } = await rejoined(mock, TEA, { ...at(5), recovered: true });
    const own = channel.publish('client-a', '');
    link.acknowledge({ id: (await link.expect('client-a')).id, channel: TEA, ...at(8) });
    await own;
    const inbox = inboxOf(channel, 'event', 'gap');
    link.send('first', TEA, '', at(1, EPOCH_2));
    link.send('of another', TEA, '', at(8, EPOCH_2));
    assert.deepEqual(await inbox.next(), ['gap', { position: at(1, EPOCH_2) }]);
    assert.deepEqual((await inbox.take(2)).map(([, { name, isReplayed }]) => [name, isReplayed]),
      [['first', false], ['of another', false]]);
    assert.deepEqual(channel.position, at(8, EPOCH_2));
  });

  mockTest('a log that begins between two connections is a gap', async (mock) => {
    const { channel, link } = await joined(mock, { data: {} });
    const inbox = inboxOf(channel, 'subscribed', 'gap', 'event');
    link.cut();
    const { link: second } = await rejoined(mock, TEA, { ...at(7), recovered: false });
    assert.deepEqual(await inbox.take(2), [
      ['subscribed', { isFirst: false, recovered: false, position: at(7) }], ['gap', { position: at(7) }],
    ]);
    second.cut();
    const { link: third } = await rejoined(mock, TEA, { ...at(7), recovered: true });
    third.send('live', TEA, '', at(8));
    assert.deepEqual((await inbox.take(2)).map(([what]) => what), ['subscribed', 'event']);
  });

  mockTest('a log that cannot be reached is a gap, and so is its return', async (mock) => {
    const { channel, link } = await joined(mock);
    const inbox = inboxOf(channel, 'subscribed', 'gap', 'event');
    const lost = ['subscribed', { isFirst: false, recovered: null, position: null }];
    link.cut();
    const { link: second, question } = await rejoined(mock, TEA, { recovered: false });
    assert.deepEqual(question.recover, at(5));
    assert.deepEqual(await inbox.take(2), [lost, ['gap', { position: null }]]);
    const page = assert.rejects(channel.history(), { code: 503, retry: true });
    const { data: { rid } } = await second.expect('pusher:ringcast_history');
    second.send('pusher_internal:ringcast_history', undefined, { rid, channel: TEA, error: 'not now', code: 503 });
    await page;
    second.send('not-kept', TEA, '');
    second.send('kept', TEA, '', at(9));
    second.send('kept', TEA, '', at(10));
    assert.deepEqual((await inbox.take(4)).map(([what, { position, offset }]) => [what, position ?? offset]),
      [['event', null], ['gap', at(9)], ['event', 9], ['event', 10]]);
    for (const data of [{ recovered: false }, {}]) {
      mock.all.at(-1).cut();
      await rejoined(mock, TEA, data);
      assert.deepEqual(await inbox.next(), lost);
      if ('recovered' in data) assert.deepEqual(await inbox.next(), ['gap', { position: null }]);
    }
    mock.all.at(-1).cut();
    await rejoined(mock, TEA, { ...at(12), recovered: false });
    assert.deepEqual((await inbox.take(2))[1], ['gap', { position: at(12) }]);
  });

  mockTest('a log that begins while one is there is none', async (mock) => {
    const { client, channel, link } = await joined(mock, { data: {} });
    const inbox = inboxOf(channel, 'gap', 'event');
    link.send('kept', TEA, '', at(1));
    assert.equal((await inbox.next())[0], 'event');
    await settle(client, link);
    assert.equal(inbox.count, 0);
  });

  mockTest('a channel without history says so', async (mock) => {
    const { channel, link } = await joined(mock, { data: {} });
    const inbox = inboxOf(channel, 'subscribed', 'gap');
    await assert.rejects(channel.history(), { code: 404 });
    link.cut();
    const second = await mock.links.next();
    const early = assert.rejects(channel.history(), { code: 404 });
    assert.equal((await second.admit(TEA)).recover, true);
    await early;
    assert.deepEqual(await inbox.next(), ['subscribed', { isFirst: false, recovered: null, position: null }]);
    assert.equal(inbox.count, 0);
  });

  mockTest('a server that starts again with another log', async (mock) => {
    const { client, channel } = await joined(mock);
    const inbox = inboxOf(channel, 'gap');
    await mock.stop();
    await stateOf(client, 'waiting');
    const restarted = await startMock({ port: mock.port });
    const { question } = await rejoined(restarted, TEA, { ...at(0, EPOCH_2), recovered: false });
    assert.deepEqual(question.recover, at(5));
    assert.deepEqual((await inbox.next())[1].position, at(0, EPOCH_2));
  });
});

describe('history', () => {
  const answer = (link, rid, more) => link.send('pusher_internal:ringcast_history', undefined,
    { rid, channel: TEA, epoch: EPOCH, offset: 5, more: false, items: [], ...more });

  mockTest('pages in both directions', async (mock) => {
    const { channel, link } = await joined(mock);
    const page = channel.history({ before: 43, limit: 2 });
    const { data } = await link.expect('pusher:ringcast_history');
    assert.deepEqual(data, { channel: TEA, before: 43, limit: 2, rid: data.rid });
    const items = [
      { offset: 40, name: 'a', data: '[1]', time_ms: 1.7e12, user_id: '42' }, { offset: 42, name: 'b', data: '' },
    ];
    answer(link, data.rid, { items, more: true, offset: 45 });
    const { items: events, ...rest } = await page;
    assert.deepEqual(rest, { ...at(45), more: true, complete: true });
    assert.deepEqual(events.map((event) => ({ ...event })), [
      { name: 'a', data: '[1]', ...at(40), userId: '42', isReplayed: true, timeMs: 1.7e12 },
      { name: 'b', data: '', ...at(42), userId: null, isReplayed: true, timeMs: null },
    ]);
    assert.deepEqual(events[0].json, [1]);
    assert.deepEqual(channel.position, at(5), 'a history moves no position');
    const newer = channel.history({ since: 3 });
    const { data: second } = await link.expect('pusher:ringcast_history');
    assert.deepEqual(second, { channel: TEA, since: 3, rid: second.rid });
    answer(link, second.rid, { complete: false });
    assert.deepEqual(await newer, { ...at(5), items: [], more: false, complete: false }, 'something is missing');
  });

  mockTest('errors are told, and a lost connection is no error', async (mock) => {
    const { channel, link } = await joined(mock);
    const refused = assert.rejects(channel.history(), { code: 503, retry: true, message: 'later' });
    const { data } = await link.expect('pusher:ringcast_history');
    answer(link, data.rid, { error: 'later', code: 503 });
    await refused;
    const pages = [channel.history(), channel.history({ before: 2 })];
    link.cut();
    const { link: second } = await rejoined(mock, TEA, { ...at(5), recovered: true });
    const asked = [await second.expect('pusher:ringcast_history'), await second.expect('pusher:ringcast_history')];
    assert.equal(asked[1].data.before, 2);
    for (const { data: { rid } } of asked.reverse()) answer(second, rid);
    await Promise.all(pages);
  });

  mockTest('an answer is known by its question, not by the channel it names', async (mock) => {
    const { client, channel, link } = await joined(mock);
    client.subscribe('coffee');
    await link.admit('coffee', at(5));
    for (const name of ['', 'coffee', undefined]) {
      const page = assert.rejects(channel.history(), { code: 400 });
      const { data: { rid } } = await link.expect('pusher:ringcast_history');
      answer(link, rid, { channel: name, error: 'malformed', code: 400 });
      await page;
    }
  });

  mockTest('what is no number of the right size is not asked', async (mock) => {
    const { client, channel, link } = await joined(mock);
    for (const wrong of [{ limit: 0 }, { limit: 1.5 }, { limit: 1e21 }, { before: 0 }, { since: -1 }, { limit: NaN }]) {
      await assert.rejects(channel.history(wrong), RangeError, JSON.stringify(wrong));
    }
    for (const what of ['limit', 'before', 'since']) {
      await assert.rejects(channel.history({ [what]: '1' }), { name: 'TypeError', message: `${what} is a number` });
    }
    await settle(client, link);
    assert.equal(link.frames.count, 0);
    const page = channel.history({ before: null, since: 0, limit: 2000 });
    answer(link, (await link.expect('pusher:ringcast_history')).data.rid);
    await page;
  });

  mockTest('an answer after the goodbye is for nobody', async (mock) => {
    const { client, channel, link } = await joined(mock);
    const page = assert.rejects(channel.history(), { code: 'unsubscribed' });
    const { data } = await link.expect('pusher:ringcast_history');
    channel.unsubscribe();
    const next = client.subscribe(TEA);
    await page;
    await link.expect('pusher:unsubscribe');
    await link.admit(TEA, at(5));
    answer(link, data.rid, { items: [{ offset: 1, name: 'a', data: '' }] });
    await settle(client, link);
    const own = next.history();
    answer(link, (await link.expect('pusher:ringcast_history')).data.rid);
    assert.deepEqual((await own).items, []);
  });
});

/* --- publishing --------------------------------------------------------------------------------------------------- */

describe('publishing', () => {
  mockTest('one at a time, in order, each acknowledged', async (mock) => {
    const { channel, link } = await joined(mock);
    const results = ['one', { two: 2 }, undefined].map((data) => channel.publish('client-msg', data));
    for (const [index, data] of ['one', '{"two":2}', 'null'].entries()) {
      const frame = await link.expect('client-msg');
      assert.equal(link.frames.count, 0, 'the next one waits');
      assert.deepEqual(frame, { event: 'client-msg', channel: TEA, data, id: frame.id });
      assert.match(frame.id, /^[a-z0-9-]{20,64}$/);
      link.acknowledge({ id: 'of nobody', channel: TEA, ...at(99) });
      link.acknowledge({ id: frame.id, channel: TEA, ...(index < 2 ? at(6 + index) : {}) });
    }
    assert.deepEqual((await Promise.all(results)).map(({ offset, epoch }) => [offset, epoch]),
      [[6, EPOCH], [7, EPOCH], [null, null]]);
    assert.deepEqual(channel.position, at(7), 'own messages next to each other');
    assert.equal(channel.trigger('client-typing', { a: 1 }), true);
    assert.deepEqual(await link.expect('client-typing'), { event: 'client-typing', channel: TEA, data: '{"a":1}' });
  });

  mockTest('waits for the connection; trigger() does not', async (mock) => {
    const client = newClient(mock.url, { authorize });
    const channel = client.subscribe(TEA);
    const result = channel.publish('client-msg', '', { id: 'mine' });
    assert.equal(channel.trigger('client-typing', ''), false);
    client.connect();
    const link = await mock.links.next();
    await link.admit(TEA, at(0));
    await link.expect('client-msg');
    link.acknowledge({ id: 'mine', channel: TEA, ...at(1) });
    assert.deepEqual(await result, { id: 'mine', ...at(1) });
  });

  mockTest('what the server could not acknowledge is refused at once', async (mock) => {
    const { client, channel, link } = await joined(mock);
    for (const id of ['', 'x'.repeat(65), 'ä'.repeat(33), 'a\nb', '\x7f', '\ud83d', 7, null]) {
      await assert.rejects(channel.publish('client-a', '', { id }), { name: 'TypeError', message: /1 to 64 bytes/ });
      await assert.rejects(channel.publishToRoom('', { id }), TypeError);
    }
    for (const name of ['a', '', 'pusher:a', 'client_a', 'client-\ud83d', undefined]) {
      await assert.rejects(channel.publish(name, ''), { name: 'TypeError', message: /client-/ });
    }
    await assert.rejects(channel.publish('client-a', 1n), TypeError);
    await settle(client, link);
    assert.equal(link.frames.count, 0);
    const id = `${'ä'.repeat(30)}😀`;
    const result = channel.publish('client-😀', '', { id });
    await link.expect('client-😀');
    link.acknowledge({ id, channel: TEA });
    await result;
  });

  mockTest('half a surrogate pair is replaced, wherever it is', async (mock) => {
    const { channel, link } = await joined(mock);
    const DATA = [
      ['cut \ud83d', 'cut \ufffd'], ['\ude00 cut', '\ufffd cut'], ['\ude00\ud83d', '\ufffd\ufffd'], ['😀', '😀'],
      [{ text: ['cut \ud83d'] }, '{"text":["cut \ufffd"]}'],
    ];
    for (const [data, wanted] of DATA) {
      const results = [channel.publish('client-a', data), channel.publishToRoom(data)];
      const frame = await link.expect('client-a');
      link.acknowledge({ id: frame.id, channel: TEA });
      const { data: room } = await link.expect('pusher:ringcast_publish');
      link.acknowledge({ id: room.id, channel: TEA });
      channel.trigger('client-b', data);
      assert.deepEqual([frame.data, room.data, (await link.expect('client-b')).data], [wanted, wanted, wanted]);
      await Promise.all(results);
    }
  });

  mockTest('to a room', async (mock) => {
    const { channel, link } = await joined(mock, { name: 'lobby' });
    const result = channel.publishToRoom('Ann: hello', { id: 'mine' });
    const frame = await link.expect('pusher:ringcast_publish');
    assert.deepEqual(frame, {
      event: 'pusher:ringcast_publish', data: { channel: 'lobby', data: 'Ann: hello', id: 'mine' },
    });
    link.acknowledge({ id: 'mine', channel: 'lobby', ...at(6) });
    assert.equal((await result).offset, 6);
  });

  mockTest('what is refused for now is sent again before what follows, for good it is told', async (mock) => {
    const { channel, link } = await joined(mock, { sendAgainMs: 0 });
    const [first, second] = [channel.publish('client-a', ''), channel.publish('client-b', '')];
    const refused = assert.rejects(second, { message: 'never', code: 4301, retry: false });
    const ids = new Set();
    for (let i = 0; i < 3; i++) {
      const { id } = await link.expect('client-a');
      ids.add(id);
      link.acknowledge({ id, channel: TEA, error: 'too fast', code: 4301, retry: true });
    }
    const { id } = await link.expect('client-a');
    assert.equal(ids.add(id).size, 1);
    link.acknowledge({ id, channel: TEA, ...at(6) });
    await first;
    const last = await link.expect('client-b');
    link.acknowledge({ id: last.id, channel: TEA, error: 'never', code: 4301, retry: false });
    const third = channel.publish('client-c', '');
    await refused;
    link.acknowledge({ id: (await link.expect('client-c')).id, channel: TEA, ...at(7) });
    assert.equal((await third).offset, 7);
  });

  mockTest('the pause after a refusal is kept, whatever else is published', async (mock) => {
    const { client, channel, link } = await joined(mock, PATIENT);
    const results = [channel.publish('client-a', '')];
    link.acknowledge({ id: (await link.expect('client-a')).id, channel: TEA, error: 'busy', code: 503, retry: true });
    await settle(client, link);
    results.push(channel.publish('client-b', ''));
    channel.trigger('client-typing', '');
    await link.expect('client-typing');
    link.cut();    /* another connection needs no pause */
    await stateOf(client, 'waiting');
    client.retryNow();
    const { link: second } = await rejoined(mock, TEA, { ...at(5), recovered: true });
    for (const name of ['client-a', 'client-b']) {
      second.acknowledge({ id: (await second.expect(name)).id, channel: TEA });
    }
    await Promise.all(results);
  });

  mockTest('a message without acknowledgement is sent again; its replay has the same offset', async (mock) => {
    const { channel, link } = await joined(mock);
    const events = inboxOf(channel, 'event');
    const [first, second] = [channel.publish('client-a', ''), channel.publish('client-b', '')];
    const { id } = await link.expect('client-a');
    link.cut();
    const third = await mock.links.next();
    await third.expect('pusher:subscribe');
    assert.equal(third.frames.count, 0, 'not before it is let in');
    third.succeed(TEA, { ...at(6), recovered: true });
    third.send('client-a', TEA, '', at(6));
    assert.equal((await third.expect('client-a')).id, id);
    third.acknowledge({ id, channel: TEA, ...at(6) });
    const [, event] = await events.next();
    assert.deepEqual([event.offset, event.isReplayed], [6, true]);
    assert.equal((await first).offset, 6);
    third.acknowledge({ id: (await third.expect('client-b')).id, channel: TEA, ...at(7) });
    await second;
    assert.deepEqual(channel.position, at(7));
  });

  mockTest('acknowledgements move the position only next to it', async (mock) => {
    const { client, channel, link } = await joined(mock);
    const events = inboxOf(channel, 'event');
    const say = async (offset, epoch) => {
      const result = channel.publish('client-a', '');
      link.acknowledge({ id: (await link.expect('client-a')).id, channel: TEA, ...at(offset, epoch) });
      await result;
      return channel.position.offset;
    };
    assert.equal(await say(6), 6);
    assert.equal(await say(8), 6, '7 may be on its way');
    assert.equal(await say(9), 6);
    assert.equal(await say(11), 6);
    assert.equal(await say(7, EPOCH_2), 6, 'of a log that is not ours');
    link.send('seven', TEA, '', at(7));
    await events.next();
    assert.deepEqual(channel.position, at(9), '8 and 9 are our own');
    link.cut();
    const { link: second } = await rejoined(mock, TEA, { ...at(13), recovered: true });
    for (const offset of [11, 12, 13]) second.send(`${offset}`, TEA, '', at(offset));
    assert.deepEqual(await names(events, 2), ['12', '13'], '11 was acknowledged');
    await settle(client, second);
    assert.deepEqual(channel.position, at(13));
  });

  mockTest('what cannot be repeated in time is uncertain, and the rest goes on', async (mock) => {
    const { channel, link } = await joined(mock, { sendAgainMs: 0 });
    await assert.rejects(channel.publish('client-0', '', { firstSentAt: Date.now() - 1 }), { code: 'uncertain' });
    const first = assert.rejects(channel.publish('client-a', ''), { code: 'uncertain' });
    const second = channel.publish('client-b', '');
    await link.expect('client-a');
    link.cut();
    await sleep(5);
    const { link: next } = await rejoined(mock, TEA, { ...at(5), recovered: true });
    await first;
    next.acknowledge({ id: (await next.expect('client-b')).id, channel: TEA, ...at(6) });
    await second;
  });

  mockTest('what is too big for the server is not sent for ever', async (mock) => {
    const { channel, link } = await joined(mock);
    const first = assert.rejects(channel.publish('client-a', 'x'.repeat(100_000)), { code: 1009 });
    const second = channel.publish('client-b', '');
    await link.expect('client-a');
    link.socket.close(1009);
    await first;
    const { link: next } = await rejoined(mock, TEA, { ...at(5), recovered: true });
    next.acknowledge({ id: (await next.expect('client-b')).id, channel: TEA, ...at(6) });
    await second;
  });

  mockTest('an end for good rejects what is pending, and connect() goes on', async (mock) => {
    const { client, channel, link } = await joined(mock);
    const refused = [channel.publish('client-a', ''), channel.publish('client-a', ''), channel.history()]
      .map((promise) => assert.rejects(promise, { code: 4009, message: 'terminated' }));
    link.socket.close(4009, 'terminated');
    await Promise.all(refused);
    client.retryNow();
    assert.equal(client.state.name, 'failed');
    for (const promise of [channel.publish('client-a', ''), channel.history()]) {
      await assert.rejects(promise, { code: 4009, message: 'terminated' });
    }
    client.connect();
    const { link: next } = await rejoined(mock, TEA, { ...at(5), recovered: true });
    const cut = assert.rejects(channel.publish('client-b', ''), { code: 'closed' });
    await next.expect('client-b');
    client.close();
    await cut;
    const other = client.subscribe('coffee');
    for (const promise of [channel.publish('client-b', ''), channel.publishToRoom(''), other.history()]) {
      await assert.rejects(promise, { code: 'closed' });
    }
    other.unsubscribe();
    client.connect();
    const result = channel.publish('client-c', '');
    const { link: last } = await rejoined(mock, TEA, { ...at(5), recovered: true });
    last.acknowledge({ id: (await last.expect('client-c')).id, channel: TEA });
    await result;
  });

  mockTest('there is a limit to what may wait', async (mock) => {
    const channel = newClient(mock.url).subscribe('tea');
    for (let i = 0; i < 1000; i++) channel.publish('client-a', '').catch(() => {});
    await assert.rejects(channel.publish('client-a', ''), { code: 'full' });
  });
});

/* --- a line that is dead ------------------------------------------------------------------------------------------ */

describe('silence', () => {
  /* It pings soon, and does not give up soon. Returns how often it has looked at the time. */
  function makePingSoon(client) {
    let looked = 0;
    Object.defineProperty(client._options, 'pongTimeoutMs', { get: () => (looked++ % 2 === 0 ? 5 : 10_000) });
    return () => looked;
  }

  const ASKING = [
    ['pusher:subscribe', ({ client }) => { client.subscribe('coffee'); }],
    ['pusher:ringcast_history', ({ channel }) => channel.history()],
    ['client-a', ({ channel }) => channel.publish('client-a', '')],
    ['pusher:ringcast_publish', ({ channel }) => channel.publishToRoom('')],
  ];
  mockTest('who awaits an answer does not bear silence for long', async (mock) => {
    for (const [event, ask] of ASKING) {
      const { client, channel, link } = await joined(mock, PATIENT);
      client._options.pongTimeoutMs = 5;
      const lost = ask({ client, channel })?.catch(({ code }) => code);
      await link.expect(event);
      await link.expect('pusher:ping');
      assert.deepEqual([(await stateOf(client, 'waiting')).code, channel.state], [1006, 'subscribing'], event);
      client.close();
      assert.ok([undefined, 'closed'].includes(await lost));
    }
  });

  mockTest('nor who has just come', async (mock) => {
    const client = newClient(mock.url, { ...PATIENT, pongTimeoutMs: 5 });
    client.subscribe('tea');
    client.connect();
    await stateOf(client, 'waiting');
    const other = newClient(mock.url, { signIn: async () => ({ auth: '', user_data: '' }) });
    makePingSoon(other);
    other.connect();
    await mock.links.next();
    const link = await mock.links.next();
    await link.expect('pusher:signin');
    for (let i = 0; i < 2; i++) {
      await link.expect('pusher:ping');
      link.send('pusher:pong', undefined, {});
    }
  });

  mockTest('nor who goes on asking', async (mock) => {
    const { client, channel } = await joined(mock, PATIENT);
    let looked = 0;
    Object.defineProperty(client._options, 'pongTimeoutMs', { get: () => (looked++, 20) });
    const asking = setInterval(() => channel.history().catch(() => {}), 2);
    await stateOf(client, 'waiting');
    clearInterval(asking);
    assert.equal(looked, 2, 'before the ping and after it: nothing is put off');
  });

  mockTest('an answer that takes its time is waited for, whatever else shows that the line lives', async (mock) => {
    const { client, channel, link } = await joined(mock, PATIENT);
    const looked = makePingSoon(client);
    const result = channel.publish('client-a', '');
    const { id } = await link.expect('client-a');
    for (const event of ['pusher:pong', 'other', 'pusher_internal:ringcast_ack']) {
      await link.expect('pusher:ping');
      link.send(event, event === 'other' ? TEA : undefined, { id: 'of another', channel: TEA });
    }
    await link.expect('pusher:ping');
    link.acknowledge({ id, channel: TEA });
    await result;
    await settle(client, link);
    assert.deepEqual([looked(), client.state.name, mock.all.length], [8, 'open', 1], 'no answer is due any more');
  });
});

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* Three clients write while connections break, acknowledgements are lost and messages are refused at random, seeded.
 * In the end each must have everything, each thing once and in the log's order, and every writer know its places. */
describe('at random', () => {
  const WRITERS = 3;
  const MESSAGES = 40;

  mockTest(`nothing is lost, doubled or out of order (SEED=${SEED})`, async (mock) => {
    const random = randomFrom(SEED);
    const log = new Log();
    Object.assign(mock, {
      log,
      step: () => 1 + random(3),
      mood: () => ['cut', 'lose', 'refuse'][random(12)] ?? 'fine',
    });
    const told = [];
    const writers = Array.from({ length: WRITERS }, (_, writer) => {
      const client = newClient(mock.url, { authorize });
      const channel = client.subscribe(TEA, { position: at(0) });
      const view = new Map();
      let newest = 0;
      channel.on('event', ({ offset, data }) => {
        assert.ok(offset > newest, 'in order, none twice');
        newest = offset;
        if (view.has(offset)) assert.equal(view.get(offset), data);
        view.set(offset, data);
      });
      channel.on('gap', () => told.push('gap'));
      client.connect();
      const done = Promise.all(Array.from({ length: MESSAGES }, async (__, index) => {
        const data = `${writer}-${index}`;
        const { offset } = await channel.publish('client-msg', data);
        view.set(offset, data);
      }));
      return { client, view, done };
    });
    await within(Promise.all(writers.map(({ done }) => done)), 'all acknowledgements');
    mock.mood = () => 'fine';
    const wanted = log.items.map(({ offset, data }) => [offset, data]);
    assert.equal(wanted.length, WRITERS * MESSAGES, 'each was published once');
    for (let writer = 0; writer < WRITERS; writer++) {
      const order = wanted.map(([, data]) => data.split('-').map(Number)).filter(([who]) => who === writer);
      assert.deepEqual(order.map(([, index]) => index), Array.from({ length: MESSAGES }, (_, index) => index));
    }
    for (const { view } of writers) {
      await until(() => view.size === wanted.length, 'everything');
      assert.deepEqual([...view].sort(([a], [b]) => a - b), wanted);
    }
    assert.deepEqual(told, []);
  }, { Link: ServingLink });
});
