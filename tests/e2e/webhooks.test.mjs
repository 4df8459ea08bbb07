/* tests/e2e/webhooks.test.mjs - what applications are told about their channels, and what happens when they do not
 * listen. */

import assert from 'node:assert/strict';
import { serverTest, until, within } from './support.mjs';
import {
  APP, appArgs, backend, channelTest, listen, openPeers, OTHER_APP, Peer, pusherClient, signIn,
  subscribe, webhookReceiver,
} from './channels.mjs';

const QUICK = ['--webhook-delay-ms', '300ms', '--webhook-batch-ms', '10ms'];

/* A channelTest of an app with a webhook: the body gets the server and the receiver. */
function webhookTest(title, { settings = '', args = QUICK }, body) {
  for (const shards of [1, 4]) {
    let receiver;
    const allArgs = async () => {
      receiver = await webhookReceiver();
      return [...appArgs(`webhook=${receiver.url} ${settings}`), '--shards', shards, ...args];
    };
    serverTest(`${title}, on ${shards} shards`, allArgs, (server) => body(server, receiver));
  }
}

async function expectEvents(receiver, ...wanted) {
  for (const event of wanted) assert.deepEqual(await receiver.events.next(`${event.name} ${event.channel}`), event);
}

const occupied = (channel) => ({ name: 'channel_occupied', channel });
const vacated = (channel) => ({ name: 'channel_vacated', channel });
const added = (channel, userId) => ({ name: 'member_added', channel, user_id: userId });
const removed = (channel, userId) => ({ name: 'member_removed', channel, user_id: userId });

/* Something that is told at once; all that was told before stands before it. */
async function expectNothingElse(server, receiver) {
  const peer = await Peer.open(server);
  await peer.subscribe('private-marker');
  await expectEvents(receiver, occupied('private-marker'));
  await peer.leave();
  await expectEvents(receiver, vacated('private-marker'));
}

/* --- what is told ------------------------------------------------------------------------------------------------- */

webhookTest('a webhook is signed, and of the form that the packages want', {}, async (server, receiver) => {
  const before = Date.now();
  const peer = await Peer.open(server);
  await peer.subscribe('tea');
  const { headers, body, rawBody, isGood } = await receiver.posts.next('a webhook');
  assert.ok(isGood, 'for the method and the package that checks signatures');
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['x-pusher-key'], APP.key);
  assert.match(headers['x-pusher-signature'], /^[0-9a-f]{64}$/);
  assert.deepEqual(body, { time_ms: body.time_ms, events: [occupied('tea')] });
  assert.ok(body.time_ms >= before - 1000 && body.time_ms <= Date.now() + 1000, rawBody);
});

/* A proxy takes the posts to other machines, as the environment says, and leaves those to this one alone. */
for (const [host, noProxy, isProxied] of [
  ['127.0.0.1', '', false], ['localhost', 'example.com', false], ['hook.invalid', '', true],
  ['hook.invalid', 'elsewhere.invalid', true], ['hook.invalid', 'invalid', false],
]) {
  let proxy, receiver;
  const args = async () => {
    [proxy, receiver] = [await webhookReceiver(), await webhookReceiver()];
    Object.assign(process.env, { http_proxy: new URL(proxy.url).origin, no_proxy: noProxy });
    const { port } = new URL(receiver.url);
    return [...appArgs(`webhook=http://${host}:${port}/`), '--webhook-retry-ms-max', '0', ...QUICK];
  };
  serverTest(`a proxy of the environment and ${host}, without one for '${noProxy}'`, args, async (server) => {
    delete process.env.http_proxy;
    delete process.env.no_proxy;
    const peer = await Peer.open(server);
    await peer.subscribe('tea');
    if (isProxied) {
      assert.equal((await proxy.posts.next('a post to the proxy')).headers.host.split(':')[0], host);
    } else if (host.endsWith('invalid')) {
      await until(() => /Could not resolve host|timed out/.test(server.stderr()), 'the log to say so');
    } else {
      assert.ok((await receiver.posts.next('a post')).isGood);
    }
    if (!isProxied) assert.equal(proxy.posts.count, 0);
  }, { expected: /app .*webhook/ });
}

webhookTest('channels are occupied and vacated once, whoever comes and goes', {}, async (server, receiver) => {
  const [anna, ben] = await openPeers(server, 2);
  await anna.subscribe('tea');
  await expectEvents(receiver, occupied('tea'));
  await ben.subscribe('tea');
  await ben.leave();
  await expectNothingElse(server, receiver);
  anna.send('pusher:unsubscribe', { channel: 'tea' });
  await expectEvents(receiver, vacated('tea'));
  await anna.subscribe('tea');
  await expectEvents(receiver, occupied('tea'));
  anna.client.terminate();
  await expectEvents(receiver, vacated('tea'));
});

webhookTest('members are added and removed once, however many tabs they have', {}, async (server, receiver) => {
  const room = 'presence-room';
  const tabs = await openPeers(server, 3);
  await tabs[0].subscribe(room, { channelData: '{"user_id":42,"user_info":{"name":"Ann"}}' });
  const first = [await receiver.events.next(), await receiver.events.next()];
  assert.deepEqual(first.sort((a, b) => (a.name < b.name ? -1 : 1)), [occupied(room), added(room, '42')]);
  await tabs[1].subscribe(room, { member: { user_id: '42' } });
  await tabs[2].subscribe(room, { member: { user_id: '7' } });
  await expectEvents(receiver, added(room, '7'));
  await tabs[0].leave();
  await expectNothingElse(server, receiver);
  await tabs[1].leave();
  await expectEvents(receiver, removed(room, '42'));
  await tabs[2].leave();
  const last = [await receiver.events.next(), await receiver.events.next()];
  assert.deepEqual(last.sort((a, b) => (a.name < b.name ? -1 : 1)), [vacated(room), removed(room, '7')]);
});

webhookTest('a client event is told with all that belongs to it', { settings: 'webhook_events=client_event' },
  async (server, receiver) => {
    const [anna, ben] = await openPeers(server, 2);
    for (const peer of [anna, ben]) {
      await peer.subscribe('private-tea');
      await peer.subscribe('presence-room', { member: { user_id: `u-${peer === anna ? 'anna' : 'ben'}` } });
    }
    const common = { name: 'client_event', socket_id: anna.socketId };
    for (const [data, told] of [[{ a: 1 }, '{"a":1}'], ['text "ü🎉"', 'text "ü🎉"'], [7, '7']]) {
      anna.send('client-ev', data, 'private-tea');
      await expectEvents(receiver, { ...common, channel: 'private-tea', event: 'client-ev', data: told });
      anna.send('client-ev', data, 'presence-room');
      await expectEvents(receiver,
        { ...common, channel: 'presence-room', event: 'client-ev', data: told, user_id: 'u-anna' });
    }
    anna.send('client-ev', {}, 'public');
    anna.send('client-last', '', 'private-tea');
    await expectEvents(receiver, { ...common, channel: 'private-tea', event: 'client-last', data: '' });
  });

webhookTest('client events are told in the order of their channel, and a repeated one once',
  { settings: 'webhook_events=client_event client_events_per_second=10000',
    args: [...QUICK, '--history', 'private-kept client_events=yes'] },
  async (server, receiver) => {
    const peers = await openPeers(server, 4);
    const reader = await Peer.open(server);
    for (const peer of [...peers, reader]) await peer.subscribe('private-kept');
    for (let i = 0; i < 50; i++) {
      for (const peer of peers) {
        const id = `${peer.socketId}-${i}`;
        const event = JSON.stringify({ event: 'client-ev', channel: 'private-kept', data: id, id });
        peer.sendText(event);
        if (i % 5 === 0) peer.sendText(event);
      }
    }
    for (let i = 0; i < 50 * peers.length; i++) {
      const { data } = await reader.next();
      await expectEvents(receiver, {
        name: 'client_event', channel: 'private-kept', event: 'client-ev', data, socket_id: data.split('-')[0],
      });
    }
    await reader.subscribe('private-plain');
    reader.send('client-last', '', 'private-plain');
    await expectEvents(receiver, {
      name: 'client_event', channel: 'private-plain', event: 'client-last', data: '', socket_id: reader.socketId,
    });
  });

webhookTest('a miss in the cache is told', { settings: 'webhook_events=cache_miss,channel_occupied' },
  async (server, receiver) => {
    const [anna, ben] = await openPeers(server, 2);
    await anna.subscribe('cache-a');
    const first = [await receiver.events.next(), await receiver.events.next()];
    assert.deepEqual(first.sort((a, b) => (a.name < b.name ? -1 : 1)),
      [{ name: 'cache_miss', channel: 'cache-a' }, occupied('cache-a')]);
    await backend(server).trigger('cache-a', 'ev', 'x');
    await ben.subscribe('cache-a');
    await ben.expect('ev', 'cache-a', 'x');
    await ben.subscribe('tea');
    await expectEvents(receiver, occupied('tea'));
  });

webhookTest('counts are told to who asks for them', { settings: 'webhook_events=subscription_count' },
  async (server, receiver) => {
    const [anna, ben] = await openPeers(server, 2);
    const count = (number) => ({ name: 'subscription_count', channel: 'tea', subscription_count: number });
    await anna.subscribe('tea');
    await expectEvents(receiver, count(1));
    await ben.subscribe('tea');
    await expectEvents(receiver, count(2));
    await ben.leave();
    await expectEvents(receiver, count(1));
  });

webhookTest('a user\'s own channel is not told of', {}, async (server, receiver) => {
  const client = pusherClient(server, { user: { id: 'u1' } });
  await signIn(client);
  await expectNothingElse(server, receiver);
  client.disconnect();
  await expectNothingElse(server, receiver);
});

/* --- delay, retry, batch ------------------------------------------------------------------------------------------ */

webhookTest('who is back in time was never away', { args: ['--webhook-delay-ms', '3s', '--webhook-batch-ms', '0'] },
  async (server, receiver) => {
    const peer = await Peer.open(server);
    const room = 'presence-room';
    await peer.subscribe(room, { member: { user_id: 'u' } });
    await receiver.events.take(2);
    for (let round = 0; round < 5; round++) {
      peer.send('pusher:unsubscribe', { channel: room });
      await peer.subscribe(room, { member: { user_id: 'u' } });
    }
    await peer.subscribe('tea');
    await expectEvents(receiver, occupied('tea'));
    peer.send('pusher:unsubscribe', { channel: 'tea' });
    await expectEvents(receiver, vacated('tea'));
    await peer.leave();
    const last = [await receiver.events.next(), await receiver.events.next()];
    assert.deepEqual(last.sort((a, b) => (a.name < b.name ? -1 : 1)), [vacated(room), removed(room, 'u')]);
  });

webhookTest('a post that fails is tried again, the same to the byte', {}, async (server, receiver) => {
  let failures = 2;
  receiver.answer = () => (failures-- > 0 ? 503 : 200);
  const peer = await Peer.open(server);
  await peer.subscribe('tea');
  const posts = await receiver.posts.take(3, 'a webhook, again');
  for (const post of posts) {
    assert.ok(post.isGood);
    assert.equal(post.rawBody, posts[0].rawBody);
    assert.equal(post.headers['x-pusher-signature'], posts[0].headers['x-pusher-signature']);
  }
  await expectEvents(receiver, occupied('tea'));
});

webhookTest('a receiver that refuses one holds up no other', {}, async (server, receiver) => {
  receiver.answer = ({ rawBody }) => (rawBody.includes('"bad"') ? 500 : 200);
  const peer = await Peer.open(server);
  await peer.subscribe('bad');
  await receiver.posts.next('the first try');
  for (const name of ['a', 'b', 'c']) {
    await peer.subscribe(name);
    await expectEvents(receiver, occupied(name));
  }
  receiver.answer = () => 200;
  await expectEvents(receiver, occupied('bad'));
});

webhookTest('events in one moment come in few posts', { args: ['--webhook-batch-ms', '200ms'] },
  async (server, receiver) => {
    const peers = await openPeers(server, 3);
    const names = Array.from({ length: 240 }, (_, i) => `c${i}`);
    for (const [i, name] of names.entries()) peers[i % 3].askFor(name);
    const events = await receiver.events.take(240, 'an event');
    assert.deepEqual(events.map(({ channel }) => channel).sort(), names.sort());
    const posts = await receiver.posts.take(3);
    for (const { body } of posts) assert.ok(body.events.length <= 100, `${body.events.length}`);
    assert.ok(receiver.posts.count + 3 < 120, `${receiver.posts.count + 3} posts`);
  });

webhookTest('without batching each event has a post of its own', { args: ['--webhook-batch-ms', '0'] },
  async (server, receiver) => {
    const peer = await Peer.open(server);
    const names = Array.from({ length: 30 }, (_, i) => `c${i}`);
    for (const name of names) peer.askFor(name);
    const posts = await receiver.posts.take(30, 'a post');
    assert.deepEqual(posts.map(({ body }) => body.events.length), Array(30).fill(1));
  });

webhookTest('what waits at the end is still told', { args: ['--webhook-delay-ms', '1m', '--webhook-batch-ms', '1s'] },
  async (server, receiver) => {
    const [staying, leaving] = await openPeers(server, 2);
    await staying.subscribe('tea');
    await leaving.subscribe('coffee');
    await receiver.events.take(2);
    await leaving.leave();
    const end = await within(server.stop(), 'the server to stop');
    const told = await receiver.events.take(2, 'a last word');
    assert.deepEqual(told.map(({ channel, name }) => `${channel} ${name}`).sort(),
      ['coffee channel_vacated', 'tea channel_vacated']);
    return end;
  });

for (const shards of [1, 4]) {
  /* Port 9 of loopback has nobody listening. */
  const dead = appArgs('webhook=http://127.0.0.1:9/nobody');
  serverTest(`a receiver that is dead costs nobody anything, on ${shards} shards`,
    [...dead, '--shards', shards, '--webhook-stop-ms-max', '200ms', '--webhook-events-max', '100'],
    async (server) => {
      const peers = await openPeers(server, 10);
      for (const [i, peer] of peers.entries()) {
        for (let n = 0; n < 50; n++) await peer.subscribe(`c${i}-${n}`);
      }
      const heard = listen(await subscribe(pusherClient(server), 'c0-0'), 'ev');
      await backend(server).trigger('c0-0', 'ev', 'well');
      assert.equal(await heard.next(), 'well');
    });
}

/* --- whose webhook ------------------------------------------------------------------------------------------------ */

const THIRD_APP = { id: '1003', key: 'rcthird55aa', secret: 'a-third-s3cr3t' };
let receivers;

async function twoWithReceivers() {
  receivers = [await webhookReceiver({ app: OTHER_APP }), await webhookReceiver({ app: THIRD_APP })];
  return [
    ...appArgs(`webhook=${receivers[0].url} webhook_events=channel_occupied`, OTHER_APP),
    ...appArgs(`webhook=${receivers[1].url}`, THIRD_APP), ...QUICK,
  ];
}

channelTest('each app is told of its own channels, with its own signature', { args: twoWithReceivers },
  async (server) => {
    const peers = [];
    for (const app of [APP, OTHER_APP, THIRD_APP]) peers.push(await Peer.open(server, { app }));
    for (const peer of peers) await peer.subscribe('tea');
    for (const receiver of receivers) await expectEvents(receiver, occupied('tea'));
    for (const peer of peers) await peer.leave();
    await expectEvents(receivers[1], vacated('tea'));
    assert.equal(receivers[0].events.count, 0, 'vacated was not asked for');
  });
