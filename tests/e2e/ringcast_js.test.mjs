/* tests/e2e/ringcast_js.test.mjs - the client server/web/ringcast.js: connection, subscriptions and user, against a
 * server that plays faults by the script of each test. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, mock as stub } from 'node:test';
import { promisify } from 'node:util';
import { sleep, until, within } from './support.mjs';
import {
  at, authorize, EPOCH, EPOCH_2, inboxOf, joined, mockTest, MODULE, names, newClient, PATIENT, rejoined, ROOM,
  settle, startMock, stateOf, TEA,
} from './mock_ringcast.mjs';

/* --- the connection ----------------------------------------------------------------------------------------------- */

describe('the connection', () => {
  mockTest('connecting, open, closed', async (mock) => {
    const client = newClient(mock.url);
    assert.deepEqual([client.state.name, client.socketId], ['closed', null]);
    client.connect();
    client.connect();
    const link = await mock.links.next();
    assert.match(link.path, /^\/app\/somekey\?protocol=7&client=ringcast$/);
    await stateOf(client, 'open');
    assert.equal(client.socketId, '1.1');
    client.connect();
    client.close();
    assert.equal(await link.ended, 1000);
    assert.deepEqual([client.state.name, client.socketId, mock.all.length], ['closed', null, 1]);
    client.connect();
    await stateOf(client, 'open');
    assert.equal(client.socketId, '1.2');
  });

  /* [close code, the state after it, the least part of retryFirstMs that is waited, the most] */
  const CLOSES = [
    [4000, 'failed'], [4001, 'failed'], [4009, 'failed'], [4099, 'failed'], [4100, 'waiting', 2, 3],
    [4199, 'waiting', 2, 3], [4200, 'waiting', 0, 0], [4299, 'waiting', 0, 0], [4300, 'waiting', 0, 1],
    [1000, 'waiting', 0, 1], [1001, 'waiting', 0, 1], [1011, 'waiting', 0, 1], [1013, 'waiting', 0, 1],
  ];
  mockTest('each close code is obeyed', async (mock) => {
    for (const [code, name, least, most] of CLOSES) {
      const client = newClient(mock.url, PATIENT);
      client.connect();
      const link = await mock.links.next();
      await stateOf(client, 'open');
      const before = Date.now();
      link.socket.close(code, 'because');
      const state = await stateOf(client, name);
      assert.deepEqual([state.code, state.reason], [code, 'because']);
      if (name === 'waiting') {
        assert.ok(state.retryAt >= before + least * PATIENT.retryFirstMs, `${code}`);
        assert.ok(state.retryAt <= Date.now() + most * PATIENT.retryFirstMs, `${code}`);
      }
      client.close();
    }
  });

  mockTest('who asks for reconnects without end gets them with delays', async (mock) => {
    const client = newClient(mock.url, PATIENT);
    client.connect();
    (await mock.links.next()).socket.close(4200);
    (await mock.links.next()).socket.close(4200);
    await until(() => client.state.retryAt > Date.now() + 1, 'a delay');
    client.retryNow();
    await mock.links.next();
    await stateOf(client, 'open');
  });

  mockTest('delays grow up to their limit, and start afresh after a connection that lasted', async (mock) => {
    const client = newClient(mock.url, { ...PATIENT, retryMaxMs: 5e7 });
    const random = stub.method(Math, 'random', () => 0.5);
    const parts = [];
    const fail = async () => {
      (await mock.links.next()).cut();
      parts.push(Math.round((await stateOf(client, 'waiting')).retryAt - Date.now()) / 1e7);
      client.retryNow();
    };
    client.connect();
    for (let i = 0; i < 5; i++) await fail();
    client._options.steadyMs = 0;
    await stateOf(client, 'open');
    await fail();
    random.mock.restore();
    assert.deepEqual(parts.map((part) => Math.round(part * 2) / 2), [0.5, 1, 2, 2.5, 2.5, 0.5]);
  });

  mockTest('a server that cannot be reached is tried until it is there', async (mock) => {
    await mock.stop();
    const client = newClient(mock.url);
    client.connect();
    for (let i = 0; i < 3; i++) assert.equal((await stateOf(client, 'waiting')).code, 1006);
    await startMock({ port: mock.port });
    await stateOf(client, 'open');
  });

  mockTest('a server that never greets is left', async (mock) => {
    const client = newClient(mock.url, { connectTimeoutMs: 50 });
    client.connect();
    const mute = await mock.links.next();
    await mute.ended;
    assert.equal((await stateOf(client, 'waiting')).reason, 'no answer');
    mock.greets = true;
    await stateOf(client, 'open');
  }, { greets: false });

  mockTest('an address that is none fails', async () => {
    const client = newClient('nonsense://x');
    const lost = assert.rejects(client.subscribe('tea').history(), { name: 'RingcastError' });
    client.connect();
    assert.match((await stateOf(client, 'failed')).reason, /./);
    await lost;
  });

  mockTest('a silent connection is pinged, and given up without an answer', async (mock) => {
    const client = newClient(mock.url, { activityTimeoutMs: 5, pongTimeoutMs: 10_000 });
    client.connect();
    const link = await mock.links.next();
    for (let i = 0; i < 3; i++) {
      await link.expect('pusher:ping');
      link.send('pusher:pong', undefined, {});
    }
    assert.equal(client.state.name, 'open');
    client._options.pongTimeoutMs = 5;
    await link.expect('pusher:ping');
    assert.equal((await stateOf(client, 'waiting')).code, 1006);
    assert.notEqual((await mock.links.next()).socketId, link.socketId);
  });

  mockTest('the server may ask for earlier pings, and ping itself', async (mock) => {
    const client = newClient(mock.url);
    client.connect();
    const link = await mock.links.next();
    link.greet('7.7', 0.005);
    await stateOf(client, 'open');
    await link.expect('pusher:ping');
    link.send('pusher:ping', undefined, {});
    await link.expect('pusher:pong');
  }, { greets: false });

  mockTest('asked to, it finds out whether an open connection is one', async (mock) => {
    const client = newClient(mock.url, { pongTimeoutMs: 20 });
    client.connect();
    const link = await mock.links.next();
    await stateOf(client, 'open');
    const asking = setInterval(() => client.retryNow(), 2);
    await link.expect('pusher:ping');
    await stateOf(client, 'waiting');
    clearInterval(asking);
    await stateOf(client, 'open');
  });

  mockTest('what is no frame is passed over', async (mock) => {
    const { client, channel, link } = await joined(mock, { name: 'tea' });
    const events = inboxOf(channel, 'event');
    link.greet('9.9');    /* once is enough */
    for (const text of ['', '{', 'null', '[]', '1', '{"event":1}', '{"event":"x","channel":5}', '{"data":"{}"}',
      '{"event":"pusher:error"}', '{"event":"pusher:error","data":null}', '{"event":"pusher:signin_success"}',
      '{"event":"pusher_internal:ringcast_ack","data":"7"}', '{"event":"pusher_internal:ringcast_history"}',
      '{"event":"pusher_internal:subscription_succeeded","channel":"tea"}', '{"event":"x","channel":"coffee"}',
      '{"event":"pusher:subscription_error","channel":"tea","data":"{}"}']) link.sendText(text);
    link.socket.send(Buffer.from('{"event":"bytes","channel":"tea","data":"{}"}'), { binary: true });
    link.sendText('{"event":"last","channel":"tea"}');
    const [, event] = await events.next();
    assert.deepEqual([event.name, event.data, event.json], ['last', 'null', null]);
    assert.equal(client.socketId, '1.1');
  });

  mockTest('errors in callbacks are reported and change nothing', async (mock) => {
    const reports = stub.method(console, 'error', () => {});
    const { client, channel, link } = await joined(mock);
    const fail = () => { throw new Error('of the application'); };
    for (const what of ['event', 'subscribed', 'error', 'gap']) channel.on(what, fail);
    channel.bind('a', async () => fail());
    const quiet = client.on('state', fail);
    const events = inboxOf(channel, 'event');
    link.send('a', TEA, {}, at(6));
    link.send('b', TEA, {}, at(7));
    assert.deepEqual(await names(events, 2), ['a', 'b']);
    link.cut();
    await rejoined(mock, TEA, { ...at(7), recovered: true });
    await until(() => channel.state === 'subscribed', 'the subscription');
    await until(() => reports.mock.callCount() >= 6, 'the reports');
    quiet();
    reports.mock.restore();
  });

  mockTest('callbacks may close', async (mock) => {
    const closing = (client, act) => async (...args) => {
      client().close();
      return act?.(...args);
    };
    const clients = [
      newClient(mock.url, { authorize: closing(() => clients[0], authorize) }),
      newClient(mock.url, { signIn: closing(() => clients[1], () => ({})) }),
    ];
    for (const name of ['connecting', 'open']) {
      const client = newClient(mock.url);
      client.on('state', (state) => { if (state.name === name) client.close(); });
      clients.push(client);
    }
    for (const client of clients) {
      client.subscribe(TEA);
      client.connect();
      await until(() => client.states.count > 1 && client.state.name === 'closed', 'the end');
      await sleep(0);
      assert.deepEqual([client.state.name, client.socketId], ['closed', null]);
    }
    const other = await startMock();
    const { client, channel, link } = await joined(other);
    for (const what of ['event', 'gap', 'subscribed']) channel.on(what, () => client.close());
    link.send('first', TEA, '', at(1, EPOCH_2));
    await link.ended;
    client.connect();
    const { link: second } = await rejoined(other, TEA, { ...at(9, EPOCH), recovered: false });
    await second.ended;
    assert.equal(client.state.name, 'closed');
  });

  mockTest('close() leaves nothing that keeps a program alive', async (mock) => {
    const program = `
      const WebSocket = (await import('ws')).default;
      const { Ringcast } = await import(process.env.MODULE);
      const client = new Ringcast({ key: 'k', url: process.env.URL, WebSocket });
      const channel = client.subscribe('tea');
      client.subscribe('private-x');    /* refused: there is no authorize() */
      channel.on('subscribed', () => {
        channel.publish('client-a', '').catch(({ code }) => console.log(code));
        channel.history().catch(({ code }) => console.log(code));
        client.close();
        client.retryNow();
      });
      client.connect();`;
    const ended = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program],
      { cwd: new URL('.', import.meta.url), env: { MODULE, URL: mock.url } });
    await (await mock.links.next()).admit('tea', at(1));
    assert.equal((await within(ended, 'the end')).stdout, 'closed\nclosed\n');
  });
});

/* --- subscriptions ------------------------------------------------------------------------------------------------ */

describe('subscriptions', () => {
  mockTest('an event has its parts', async (mock) => {
    const { channel, link } = await joined(mock, { name: 'tea', data: {} });
    assert.equal(channel.position, null);
    const bound = [];
    const unbind = channel.bind('greeting', (event) => bound.push(event));
    const events = inboxOf(channel, 'event', 'pusher:cache_miss', 'pusher_internal:subscription_count');
    link.send('greeting', 'tea', '{"a":1}', { user_id: '42', ...at(9) });
    link.send('greeting', 'tea', 'no JSON');
    link.send('pusher_internal:subscription_count', 'tea', { subscription_count: 3 });
    link.send('pusher:cache_miss', 'tea', {});
    const [[, first], [, second], count, miss] = await events.take(4);
    assert.deepEqual({ ...first }, {
      name: 'greeting', data: '{"a":1}', ...at(9), userId: '42', isReplayed: false, timeMs: null,
    });
    assert.deepEqual([first.json, second.json, second.data, second.offset], [{ a: 1 }, undefined, 'no JSON', null]);
    assert.deepEqual([count[1], miss[1]], [{ subscription_count: 3 }, {}]);
    assert.deepEqual(bound, [first, second]);
    unbind();
    link.send('greeting', 'tea', '');
    await events.next();
    assert.equal(bound.length, 2);
  });

  mockTest('authorize() signs for each connection anew', async (mock) => {
    const { client, channel, link } = await joined(mock);
    assert.equal(client.subscribe(TEA), channel);
    assert.equal(client.channel(TEA), channel);
    link.cut();
    const { question } = await rejoined(mock, TEA);
    assert.equal(question.auth, `somekey:1.2:${TEA}`);
    for (const name of ['', 'a b', 'ä', 'a'.repeat(201), '#a', '#server-to-user-', undefined]) {
      assert.throws(() => client.subscribe(name), TypeError);
    }
    for (const position of [{}, 7, at(-1), at(1.5), at('1'), at(1e300), at(1, 7)]) {
      assert.throws(() => client.subscribe('tea', { position }), TypeError);
    }
    assert.equal(client.channel('tea'), undefined);
  });

  mockTest('a signature that is no text refuses, for the server would not say whose it was', async (mock) => {
    const answers = [{ auth: 7 }, { auth: '', channel_data: { user_id: 1 } }];
    const client = newClient(mock.url, {
      authorize: async () => answers.shift() ?? { auth: null, channel_data: null },
    });
    const channel = client.subscribe(TEA);
    const inbox = inboxOf(channel, 'error');
    client.connect();
    const link = await mock.links.next();
    for (let i = 0; i < 2; i++) {
      const lost = assert.rejects(channel.history(), { code: 'refused' });
      assert.match((await inbox.next())[1].message, /no string/);
      await lost;
      client.subscribe(TEA);
    }
    assert.deepEqual(await link.admit(TEA), { channel: TEA, auth: '', recover: true });
  });

  mockTest('a refusal is told, and tried again when asked and on the next connection', async (mock) => {
    let asked = 0;
    const client = newClient(mock.url, {
      authorize: (what) => {
        asked += 1;
        if (asked === 1) throw Object.assign(new Error('not you'), { code: 403 });
        if (asked === 2) throw Object.assign(new Error('not now'), { retry: true });
        return authorize(what);
      },
    });
    const channel = client.subscribe(TEA);
    const inbox = inboxOf(channel, 'error', 'subscribed');
    const early = assert.rejects(channel.publish('client-a', ''), { code: 403 });
    client.connect();
    const [, error] = await inbox.next();
    await early;
    assert.deepEqual([error.name, error.message, error.code], ['RingcastError', 'not you', 403]);
    assert.equal(channel.state, 'refused');
    await assert.rejects(channel.publish('client-a', ''), { code: 'refused' });
    await assert.rejects(channel.history(), { code: 'refused' });
    assert.equal(client.subscribe(TEA), channel);
    const link = await mock.links.next();
    await link.expect('pusher:subscribe');
    assert.equal(asked, 3);
    link.send('pusher:subscription_error', TEA, { type: 'AuthError', error: 'bad signature', status: 401 });
    link.send('pusher:error', undefined, { code: null, message: 'bad signature' });
    assert.deepEqual(await inbox.next().then(([, { message, code }]) => [message, code]), ['bad signature', 401]);
    assert.equal((await client.errors.next()).code, null);
    link.cut();
    await rejoined(mock, TEA);
    assert.equal((await inbox.next())[0], 'subscribed');
  });

  mockTest('a signature for a connection that is gone is not used', async (mock) => {
    const answers = [];
    const later = () => new Promise((resolve, reject) => { answers.push({ resolve, reject }); });
    const client = newClient(mock.url, { authorize: later });
    const channel = client.subscribe(TEA);
    client.connect();
    for (const count of [1, 2]) {
      const lost = await mock.links.next();
      await until(() => answers.length === count, 'a question');
      lost.cut();
    }
    const link = await mock.links.next();
    await until(() => answers.length === 3, 'the last question');
    answers[0].reject(new Error('late'));
    answers[1].resolve({ auth: 'old' });
    await sleep(0);
    answers[2].resolve({ auth: 'new' });
    assert.equal((await link.expect('pusher:subscribe')).data.auth, 'new');
    channel.unsubscribe();
    client.subscribe(TEA).unsubscribe();
    answers[3].resolve({ auth: 'in vain' });
    client.subscribe('coffee');
    assert.equal((await link.expect('pusher:subscribe')).data.channel, 'coffee');
  });

  mockTest('unsubscribing before the answer waits for it, and so does who comes after', async (mock) => {
    const client = newClient(mock.url);
    const former = client.subscribe('tea');
    const seen = inboxOf(former, 'subscribed', 'event', 'error');
    client.connect();
    const link = await mock.links.next();
    await link.expect('pusher:subscribe');
    former.unsubscribe();
    former.unsubscribe();
    const channel = client.subscribe('tea', { position: at(3) });
    const events = inboxOf(channel, 'subscribed', 'event');
    assert.notEqual(channel, former);
    link.succeed('tea', at(4));
    link.send('of-the-former', 'tea', '', at(5));
    await link.expect('pusher:unsubscribe');
    const question = await link.admit('tea', { ...at(5), recovered: true });
    assert.deepEqual(question.recover, at(3));
    link.send('missed', 'tea', '', at(4));
    link.send('missed-too', 'tea', '', at(5));
    assert.equal((await events.next())[1].recovered, true);
    assert.deepEqual(await names(events, 2), ['missed', 'missed-too']);
    assert.equal(seen.count, 0);
    channel.unsubscribe();
    await link.expect('pusher:unsubscribe');
    client.subscribe('tea');
    assert.equal((await link.admit('tea')).recover, true);
  });

  mockTest('a subscription is asked for once, whoever asks again', async (mock) => {
    let asked = 0;
    const client = newClient(mock.url, {
      ...PATIENT,
      authorize: async (what) => {
        asked += 1;
        if (asked === 2) throw Object.assign(new Error('not now'), { retry: true });
        return authorize(what);
      },
    });
    const former = client.subscribe(TEA);
    client.connect();
    const link = await mock.links.next();
    await link.expect('pusher:subscribe');
    former.unsubscribe();
    const channel = client.subscribe(TEA);
    await until(() => asked === 2, 'the refusal');
    link.succeed(TEA);    /* of the former: the new one is asked for at once, and the pause is over */
    await link.expect('pusher:unsubscribe');
    await link.admit(TEA, at(5));
    const result = channel.publish('client-a', '');
    link.acknowledge({ id: (await link.expect('client-a')).id, channel: TEA, ...at(6) });
    await result;
    assert.equal(client.subscribe(TEA), channel);
    await settle(client, link);
    assert.equal(link.frames.count, 0);
  });

  mockTest('unsubscribing without a connection rejects what is pending; the next one does not ask', async (mock) => {
    const { client, channel, link } = await joined(mock, PATIENT);
    client.subscribe('coffee');
    await link.admit('coffee');
    link.cut();
    await stateOf(client, 'waiting');
    const pending = [channel.publish('client-a', '1'), channel.publish('client-a', '2'), channel.history()];
    channel.unsubscribe();
    for (const promise of pending) await assert.rejects(promise, { code: 'unsubscribed' });
    await assert.rejects(channel.publish('client-a', ''), { code: 'unsubscribed' });
    assert.equal(client.channel(TEA), undefined);
    client.retryNow();
    await rejoined(mock, 'coffee');
  });

  mockTest('what comes before the success: what is kept is dropped, the rest is given', async (mock) => {
    const { client, channel, link } = await joined(mock);
    const events = inboxOf(channel, 'event');
    link.cut();
    const second = await mock.links.next();
    await second.expect('pusher:subscribe');
    second.send('stray', TEA, '', at(9));
    second.send('not-kept', TEA, '');
    second.succeed(TEA, { ...at(9), recovered: true });
    second.send('missed', TEA, '', at(7));
    second.send('stray', TEA, '', at(9));
    assert.deepEqual(await names(events, 3), ['not-kept', 'missed', 'stray']);
    await settle(client, second);
    assert.equal(events.count, 0);
  });

  mockTest('members come, go, and are those of the newest success', async (mock) => {
    const sign = async () => ({ auth: 'a', channel_data: '{"user_id":1,"user_info":{"name":"Ann"}}' });
    const list = (hash) => ({ presence: { ids: Object.keys(hash), hash, count: Object.keys(hash).length } });
    const { channel, link } = await joined(mock, { name: ROOM, authorize: sign, data: list({ 1: { name: 'Ann' } }) });
    const inbox = inboxOf(channel, 'join', 'leave');
    assert.deepEqual([channel.myId, [...channel.members]], ['1', [['1', { name: 'Ann' }]]]);
    link.send('pusher_internal:member_added', ROOM, { user_id: 7, user_info: { name: 'Ben' } });
    link.send('pusher_internal:member_added', ROOM, { user_id: '7', user_info: { name: 'Bob' } });
    link.send('pusher_internal:member_removed', ROOM, { user_id: 'nobody' });
    link.send('pusher_internal:member_added', ROOM, { user_id: '8' });
    link.send('pusher_internal:member_removed', ROOM, { user_id: '7' });
    assert.deepEqual(await inbox.take(3), [
      ['join', { id: '7', info: { name: 'Ben' } }], ['join', { id: '8', info: null }],
      ['leave', { id: '7', info: { name: 'Bob' } }],
    ]);
    link.cut();
    const lists = inboxOf(channel, 'members');
    assert.equal(channel.members.size, 2);
    const again = await mock.links.next();
    await again.expect('pusher:subscribe');
    again.send('pusher_internal:member_added', ROOM, { user_id: '99' });
    again.succeed(ROOM, list({ 1: null, 9: null }));
    assert.deepEqual([...(await lists.next())[1].keys()], ['1', '9']);
    assert.equal(inbox.count + lists.count, 0);
  });
});

/* --- the user ----------------------------------------------------------------------------------------------------- */

describe('the user', () => {
  const MY = '#server-to-user-u1';

  mockTest('signs in on each connection, and has a channel', async (mock) => {
    const userData = '{"id":"u1","user_info":{"name":"Ann"}}';
    const client = newClient(mock.url, {
      authorize, signIn: async ({ socketId }) => ({ auth: `sig ${socketId}`, user_data: userData }),
    });
    const heard = [];
    client.user.bind('hello', ({ json }) => heard.push(json));
    const signedIn = inboxOf(client, 'signed-in');
    client.subscribe(ROOM);    /* without channel_data: the user is the member */
    client.connect();
    for (const recover of [true, at(4)]) {
      const link = await mock.links.next();
      const { data } = await link.expect('pusher:signin');
      assert.deepEqual(data, { auth: `sig ${link.socketId}`, user_data: userData });
      link.send('pusher:signin_success', undefined, { user_data: userData });
      assert.deepEqual((await signedIn.next())[1], { id: 'u1', info: { name: 'Ann' } });
      const questions = [await link.expect('pusher:subscribe'), await link.expect('pusher:subscribe')];
      assert.deepEqual(questions.map(({ data: { channel } }) => channel).sort(), [MY, ROOM]);
      assert.deepEqual(questions.find((question) => question.data.channel === MY).data.recover, recover);
      link.succeed(MY, { ...at(3), recovered: false });
      link.send('hello', MY, '"Ann"', at(4));
      await until(() => heard.length === mock.all.length, 'the event');
      assert.equal(client.userId, 'u1');
      assert.equal(client.channel(ROOM).myId, 'u1');
      link.cut();
    }
    assert.deepEqual(heard, ['Ann', 'Ann']);
  });

  mockTest('another user has another channel', async (mock) => {
    const client = newClient(mock.url, { signIn: async () => ({ auth: '', user_data: '' }) });
    const inbox = inboxOf(client.user, 'subscribed');
    client.connect();
    for (const id of ['u1', 'u2']) {
      const link = await mock.links.next();
      await link.expect('pusher:signin');
      link.send('pusher:signin_success', undefined, { user_data: JSON.stringify({ id }) });
      assert.equal((await link.admit(`#server-to-user-${id}`, at(7))).recover, true);
      assert.equal((await inbox.next())[1].isFirst, true);
      assert.equal(client.userId, id);
      link.cut();
    }
    assert.equal(client.channel(MY), undefined);
  });

  mockTest('a signature of a connection that is gone is not used for the next', async (mock) => {
    const answers = [];
    const client = newClient(mock.url, { signIn: () => new Promise((resolve) => { answers.push(resolve); }) });
    client.connect();
    (await mock.links.next()).cut();
    const link = await mock.links.next();
    await until(() => answers.length === 2, 'the second question');
    answers[0]({ auth: 'old' });
    await sleep(0);
    answers[1]({ auth: 'new' });
    assert.equal((await link.expect('pusher:signin')).data.auth, 'new');
  });

  mockTest('a sign-in that fails is told, tried again if it may be, and does not hold up others', async (mock) => {
    let asked = 0;
    const client = newClient(mock.url, {
      authorize,
      signIn: async () => {
        asked += 1;
        throw Object.assign(new Error('no'), { retry: asked === 1 });
      },
    });
    client.subscribe(ROOM);
    const lost = assert.rejects(client.user.history(), { code: 'sign-in' });
    client.connect();
    assert.deepEqual([(await client.errors.next()).code, (await client.errors.next()).code], ['sign-in', 'sign-in']);
    await (await mock.links.next()).admit(ROOM);
    assert.equal(asked, 2);
    await lost;
    await assert.rejects(client.user.publish('client-a', ''), { code: 'refused' });
    await assert.rejects(newClient(mock.url).user.history(), { code: 'sign-in' });    /* it has no signIn() */
  });

  mockTest('the channel is one for all who ask for it, and can be left for good', async (mock) => {
    const client = newClient(mock.url, {
      signIn: async () => {
        if (mock.all.length === 3) throw new Error('no');
        return { auth: '', user_data: '' };
      },
    });
    const early = client.subscribe(MY);
    const lost = assert.rejects(early.history(), { code: 'unsubscribed' });
    const signIn = async (id) => {
      const link = await mock.links.next();
      await link.expect('pusher:signin');
      link.send('pusher:signin_success', undefined, { user_data: JSON.stringify({ id }) });
      return link;
    };
    client.connect();
    const first = await signIn('u1');
    await first.admit(MY);
    await lost;
    await until(() => client.user.state === 'subscribed', 'the channel of the user');
    assert.equal(client.channel(MY), client.user);
    const refused = assert.rejects(client.user.publish('client-a', ''), { code: 403 });
    const { id } = await first.expect('client-a');
    first.acknowledge({ id, error: 'never', code: 403 });    /* names no channel */
    await refused;
    client.user.unsubscribe();
    first.cut();
    const second = await signIn('u2');
    await settle(client, second);
    for (const name of [MY, '#server-to-user-u2']) assert.equal(client.channel(name), undefined);
    await assert.rejects(client.user.history(), { code: 'unsubscribed' });
    second.cut();
    assert.equal((await client.errors.next()).code, 'sign-in');
    await assert.rejects(client.user.history(), { code: 'unsubscribed' });
  });
});
