/* tests/e2e/client_events.test.mjs - events from client to client, and encrypted channels. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { sleep } from './support.mjs';
import {
  backend, channelTest, listen, openPeers, Peer, pusherClient, subscribe,
} from './channels.mjs';

const TEA = 'private-tea';
const ROOM = 'presence-room';

/* --- from client to client ---------------------------------------------------------------------------------------- */

channelTest('a client event goes to every other subscriber', {}, async (server) => {
  const [anna, ben] = [pusherClient(server), pusherClient(server)];
  const [annas, bens] = [await subscribe(anna, TEA), await subscribe(ben, TEA)];
  const peers = await openPeers(server, 5);
  for (const peer of peers) await peer.subscribe(TEA);
  const [annaHears, benHears] = [listen(annas, 'client-typing'), listen(bens, 'client-typing')];
  annas.trigger('client-typing', { who: 'Ann' });
  assert.deepEqual(await benHears.next(), { who: 'Ann' });
  for (const peer of peers) await peer.expect('client-typing', TEA, '{"who":"Ann"}');
  bens.trigger('client-typing', { who: 'Ben' });
  assert.deepEqual(await annaHears.next(), { who: 'Ben' }, 'nothing of her own came before');
  for (const peer of peers) await peer.expect('client-typing', TEA, '{"who":"Ben"}');
  assert.equal(benHears.count, 0);
});

channelTest('on a presence channel the others learn who sent it', {}, async (server) => {
  const [anna, ben] = [
    pusherClient(server, { member: { user_id: '42' } }), pusherClient(server, { member: { user_id: '7' } }),
  ];
  const [annas, bens] = [await subscribe(anna, ROOM), await subscribe(ben, ROOM)];
  const [peer, tab] = await openPeers(server, 2);
  await peer.subscribe(ROOM, { channelData: '{"user_id":1001}' });
  await tab.subscribe(ROOM, { member: { user_id: '42' } });
  const heard = new Promise((resolve) => {
    bens.bind('client-wave', (data, metadata) => resolve({ data, metadata }));
  });
  annas.trigger('client-wave', { to: 'all' });
  assert.deepEqual(await heard, { data: { to: 'all' }, metadata: { user_id: '42' } });
  await peer.expect('client-wave', ROOM, '{"to":"all"}', { user_id: '42' });
  await tab.expect('client-wave', ROOM, '{"to":"all"}', { user_id: '42' });
  const fromPeer = listen(annas, 'client-lie');
  peer.sendText(`{"event":"client-lie","channel":"${ROOM}","data":{},"user_id":"42"}`);
  await tab.expect('client-lie', ROOM, '{}', { user_id: '1001' });
  assert.deepEqual(await fromPeer.next(), {});
});

/* [data as it is sent, data as it arrives] */
const DATA = [
  ['{"a":1}', '{"a":1}'], ['{ "a" : [ 1 , 2 ] }', '{"a":[1,2]}'], ['[]', '[]'], ['""', ''], ['"text"', 'text'],
  ['"{\\"a\\":1}"', '{"a":1}'], ['"{ \\"a\\" : 1 }"', '{ "a" : 1 }'], ['null', 'null'], ['true', 'true'], ['0', '0'],
  ['12345678901234567890', '12345678901234567890'], ['[1.10,-0,1E2]', '[1.10,-0,1E2]'],
  ['"\\u0000\\ud83c\\udf89\\/"', '\u0000🎉/'], ['{"ü":"\\u00e9🎉\\n"}', '{"ü":"é🎉\\n"}'],
];

channelTest('the data of a client event arrives as a string', { settings: 'client_events_per_second=1000' },
  async (server) => {
    const [anna, ben] = await openPeers(server, 2);
    for (const peer of [anna, ben]) await peer.subscribe(TEA);
    for (const [sent, arrives] of DATA) {
      anna.sendText(`{"event":"client-ev","data":${sent},"channel":"${TEA}"}`);
      await ben.expect('client-ev', TEA, arrives);
    }
    anna.send('client-ev', undefined, TEA);
    await ben.expect('client-ev', TEA, 'null');
    anna.sendText(`{"channel":"${TEA}","extra":[1],"data":{},"event":"client-${'x'.repeat(193)}"}`);
    await ben.expect(`client-${'x'.repeat(193)}`, TEA, '{}');
    anna.send('client-large', 'x'.repeat(10_240), TEA);
    await ben.expect('client-large', TEA, 'x'.repeat(10_240));
    await anna.expectQuiet();
  });

channelTest('client events pass on all private and presence channels, cached or not', {}, async (server) => {
  const [anna, ben] = await openPeers(server, 2);
  for (const channel of ['private-a', 'private-cache-a', 'presence-a', 'presence-cache-a']) {
    await anna.subscribe(channel, channel.startsWith('presence-') ? { member: { user_id: 'u' } } : {});
    if (channel.includes('cache-')) assert.equal((await anna.next()).event, 'pusher:cache_miss');
    await ben.subscribe(channel, channel.startsWith('presence-') ? { member: { user_id: 'u' } } : {});
    if (channel.includes('cache-')) assert.equal((await ben.next()).event, 'pusher:cache_miss');
    anna.send('client-ev', 'hello', channel);
    await ben.expect('client-ev', channel, 'hello', channel.startsWith('presence-') ? { user_id: 'u' } : {});
  }
  await anna.expectQuiet();
});

/* --- what is refused ---------------------------------------------------------------------------------------------- */

channelTest('a client event that breaks a rule is refused, the connection stays', {}, async (server) => {
  const [anna, ben] = await openPeers(server, 2);
  const member = { user_id: 'u' };
  for (const channel of [TEA, 'public', 'cache-public', 'private-encrypted-e', 'private-encrypted-cache-e']) {
    for (const peer of [anna, ben]) {
      await peer.subscribe(channel);
      if (channel.includes('cache-')) assert.equal((await peer.next()).event, 'pusher:cache_miss');
    }
  }
  await ben.subscribe('private-other');
  await ben.subscribe(ROOM, { member });
  await ben.signIn({ id: 'ben' });
  await ben.subscribe('#server-to-user-ben');
  const unfit = ['public', 'cache-public', 'private-encrypted-e', 'private-encrypted-cache-e', '#server-to-user-ben'];
  for (const channel of [...unfit, 'private-other', ROOM, 'private-nobody', 'not a name', '']) {
    anna.send('client-ev', {}, channel);
    await anna.expectError(null);
  }
  anna.send('client-ev', {}, undefined);
  await anna.expectError(null, /must contain channel/);
  anna.sendText('{"event":"client-ev","data":{},"channel":7}');
  await anna.expectError(null);
  anna.send(`client-${'x'.repeat(194)}`, {}, TEA);
  await anna.expectError(4301);
  anna.send('client-ev', 'x'.repeat(10_241), TEA);
  await anna.expectError(4301);
  anna.send('client-ev', ['x'.repeat(10_237)], TEA);
  await anna.expectError(4301);
  anna.send('other-ev', {}, TEA);
  await anna.expectError(null, /^Unsupported event received on socket: other-ev$/);
  anna.send('Client-ev', {}, TEA);
  await anna.expectError(null, /^Unsupported event received on socket: Client-ev$/);
  for (const channel of [TEA, ...unfit.slice(0, 4), 'private-other', ROOM]) {
    await backend(server).trigger(channel, 'the-end', '');
    const frame = await ben.next();
    assert.deepEqual([frame.event, frame.channel], ['the-end', channel], 'nothing came through');
  }
});

channelTest('an app may go without client events', { settings: 'client_events=no' }, async (server) => {
  const [anna, ben] = await openPeers(server, 2);
  for (const peer of [anna, ben]) await peer.subscribe(TEA);
  anna.send('client-ev', {}, TEA);
  await anna.expectError(4301);
  await backend(server).trigger(TEA, 'marker', '');
  await ben.expect('marker', TEA, '');
});

channelTest('of a burst ten are let through, the rest is dropped with 4301', {}, async (server) => {
  const [anna, ben] = await openPeers(server, 2);
  for (const peer of [anna, ben]) await peer.subscribe(TEA);
  const count = 60;
  anna.client._socket.cork();    /* all in one go, so in one second */
  for (let i = 0; i < count; i++) anna.send('client-ev', i, TEA);
  anna.client._socket.uncork();
  anna.send('pusher:ping', {});
  let refused = 0;
  for (let frame = await anna.next(); frame.event === 'pusher:error'; frame = await anna.next()) {
    assert.equal(frame.data.code, 4301);
    refused += 1;
  }
  /* A burst may fall into two seconds: at least ten, at most twenty. */
  assert.ok(refused >= count - 20 && refused <= count - 10, `${refused} refused`);
  for (let i = 0; i < count - refused; i++) assert.equal((await ben.next()).event, 'client-ev');
  await backend(server).trigger(TEA, 'marker', '');
  await ben.expect('marker', TEA, '');
  await anna.expect('marker', TEA, '');
});

channelTest('the limit of one is not the limit of another, and passes', { settings: 'client_events_per_second=1' },
  async (server) => {
    const peers = await openPeers(server, 5);
    for (const peer of peers) await peer.subscribe(TEA);
    const last = peers.pop();
    for (const [i, peer] of peers.entries()) {
      peer.send('client-ev', i, TEA);
      await last.expect('client-ev', TEA, `${i}`);
    }
    for (let i = 0; i < 2; ) {
      peers[0].send('client-again', i, TEA);
      peers[0].send('pusher:ping', {});
      let frame = await peers[0].next();
      while (frame.event.startsWith('client-')) frame = await peers[0].next();
      if (frame.event === 'pusher:pong') i += 1;
      else await peers[0].expect('pusher:pong', undefined, '{}');
      await sleep(50);
    }
    for (let i = 0; i < 2; i++) await last.expect('client-again', TEA, `${i}`);
  });

/* --- encrypted channels ------------------------------------------------------------------------------------------- */

channelTest('an encrypted channel carries what only its members can read', {}, async (server) => {
  const [client, peer] = [pusherClient(server), await Peer.open(server)];
  for (const name of ['private-encrypted-a', 'private-encrypted-cache-a']) {
    const heard = listen(await subscribe(client, name), 'ev');
    await peer.subscribe(name);
    if (name.includes('cache')) assert.equal((await peer.next()).event, 'pusher:cache_miss');
    for (const data of [{ secret: 'tea' }, 'text', 7, { large: randomBytes(3000).toString('base64') }]) {
      await backend(server).trigger(name, 'ev', data);
      assert.deepEqual(await heard.next(), data);
      const { data: onWire } = await peer.next();
      assert.deepEqual(Object.keys(JSON.parse(onWire)).sort(), ['ciphertext', 'nonce']);
    }
  }
});

channelTest('an encrypted cache channel gives newcomers its last event', {}, async (server) => {
  await backend(server).trigger('private-encrypted-cache-a', 'ev', { last: 'words' });
  const heard = listen(pusherClient(server).subscribe('private-encrypted-cache-a'), 'ev');
  assert.deepEqual(await heard.next(), { last: 'words' });
});
