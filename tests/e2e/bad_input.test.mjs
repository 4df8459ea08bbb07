/* tests/e2e/bad_input.test.mjs - what no good client sends: each is answered as the protocol says, costs nobody else
 * anything and leaves nothing behind. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { untilCounters, untilNobody, within } from './support.mjs';
import {
  APP, appArgs, ask, backend, call, channelAuth, channelTest, listen, openPeers, OTHER_APP, Peer, pusherClient,
  signedRequest,
} from './channels.mjs';
import { OPCODE, RawClient, text } from './raw.mjs';

const deep = (depth, inner = '') => `${'['.repeat(depth)}${inner}${']'.repeat(depth)}`;
const subscribe = (data) => `{"event":"pusher:subscribe","data":${data}}`;

/* --- frames ------------------------------------------------------------------------------------------------------- */

/* Answered with an error of code null; the connection stays. */
const BAD_FRAMES = [
  '', ' ', 'hello', '{', '}', '{}', '[]', 'null', 'true', '7', '"text"', '{"event":"pusher:ping"', '{\'event\':1}',
  '{"event":"pusher:ping"} x', '{"event":"pusher:ping"}{"event":"pusher:ping"}', '\ufeff{"event":"pusher:ping"}',
  '{"event":"pusher:ping",}', '{"event":"pusher:ping","data":NaN}', '{"event":"pusher:ping","data":01}',
  '{"event":"pusher:ping","data":"\u0001"}', '{"event":"pusher:ping","data":"\\x"}', '{"event":"\\ud800"}',
  '{"data":{}}', '{"event":null}', '{"event":7,"data":{}}', '{"event":["pusher:ping"]}', '{"event":{}}',
  '{"event":""}', '{"event":"pusher:ping","event":"pusher:ping"}',
  `{"event":"pusher:ping","data":${deep(32)}}`, deep(10_000), '['.repeat(60_000), '{"a":'.repeat(10_000),
  `{"event":"client-a","channel":"a","channel":"b","data":{}}`,
  '{"event":"pusher:nonsense","data":{}}', '{"event":"pusher:"}', '{"event":"pusher_internal:member_added"}',
  '{"event":"message","data":"x","channel":"tea"}', '{"event":"client","data":"x","channel":"tea"}',
  `{"event":"${'x'.repeat(60_000)}"}`,
  subscribe('null'), subscribe('[]'), subscribe('7'), subscribe('"tea"'), subscribe('{}'), subscribe('"{"'),
  subscribe('{"channel":null}'), subscribe('{"channel":7}'), subscribe('{"channel":["tea"]}'),
  subscribe('{"channel":"a","channel":"b"}'), '{"event":"pusher:subscribe"}',
  '{"event":"pusher:subscribe","channel":"a"}',
  '{"event":"pusher:unsubscribe"}', '{"event":"pusher:unsubscribe","data":{"channel":7}}',
];

channelTest('a frame that makes no sense is an error, and the connection stays', {}, async (server) => {
  const [peer, witness] = await openPeers(server, 2);
  for (const one of [peer, witness]) await one.subscribe('tea');
  for (const frame of BAD_FRAMES) {
    peer.sendText(frame);
    await peer.expectError(null).catch((error) => {
      throw new Error(`${error.message} to ${frame.slice(0, 200)}`);
    });
    await peer.expectQuiet();
  }
  await backend(server).trigger('tea', 'ev', 'and on');
  for (const one of [peer, witness]) await one.expect('ev', 'tea', 'and on');
  assert.deepEqual((await ask(server, '/channels')).channels, { tea: {} });
  for (const one of [peer, witness]) await one.leave();
  await untilNobody(server);
});

channelTest('a name that no channel has is told to whoever waits for that channel', {}, async (server) => {
  const peer = await Peer.open(server);
  for (const channel of [
    '', 'price:a', 'a b', 'a/b', 'a#b', '#a', '#server-to-user', 'café', 'a\u0000b', 'a\n', '"\\', '!',
    'x'.repeat(201), 'x'.repeat(50_000),
  ]) {
    peer.askFor(channel);
    await peer.expectRefusal(channel, { type: 'BadRequest', status: 400 });
  }
  await peer.expectQuiet();
  const refused = listen(pusherClient(server).subscribe('price:a'), 'pusher:subscription_error');
  assert.match((await refused.next()).error, /Invalid channel name/);
});

channelTest('what an error says of a frame is no frame itself', {}, async (server) => {
  const peer = await Peer.open(server);
  for (const name of ['quote"', 'back\\slash', 'line\nfeed', '\u0001\u001f', 'ü🎉', '</script>', '%s%n']) {
    peer.send(name, {});
    const { data } = await peer.next();
    assert.ok(data.message.includes(name), data.message);
  }
});

channelTest('unusual, but good', {}, async (server) => {
  const peer = await Peer.open(server);
  for (const [i, frame] of [
    subscribe('{"channel":"c0"}'), subscribe('{"channel":"c1","auth":"","extra":[{}]}'),
    ' \n\t{ "data" : { "channel" : "c2" } , "event" : "pusher:subscribe" }\r\n',
    subscribe('{"chann\\u0065l":"\\u00633"}'),
    '{"id":1,"event":"pusher:subscribe","data":{"channel":"c4"},"channel":["ignored"]}',
    `{"event":"pusher:subscribe","data":{"channel":"c5","extra":${deep(29)}}}`,
  ].entries()) {
    peer.sendText(frame);
    await peer.expect('pusher_internal:subscription_succeeded', `c${i}`, '{}');
  }
});

channelTest('binary is an error, as it is no part of the protocol', {}, async (server) => {
  const peer = await Peer.open(server);
  for (const bytes of [Buffer.alloc(0), Buffer.from([0, 255]), Buffer.from('{"event":"pusher:ping"}')]) {
    peer.client.send(bytes);
    await peer.expectError(null);
  }
  await peer.expectQuiet();
});

channelTest('a frame may come in fragments, each a part of a character', {}, async (server) => {
  const peer = await Peer.open(server);
  await peer.subscribe('private-tea');
  const other = await Peer.open(server);
  await other.subscribe('private-tea');
  const bytes = Buffer.from('{"event":"client-ev","channel":"private-tea","data":"ü🎉"}');
  for (let i = 0; i < bytes.length; i++) {
    peer.client.send(bytes.subarray(i, i + 1), { binary: false, fin: i === bytes.length - 1 });
  }
  await other.expect('client-ev', 'private-tea', 'ü🎉');
});

channelTest('bytes that are no UTF-8 close with 1007, too many with 1009', {}, async (server) => {
  for (const [code, payload] of [
    [1007, Buffer.from('{"event":"\xff"}', 'latin1')], [1007, Buffer.from([0xed, 0xa0, 0x80])],
    [1009, Buffer.from(`{"event":"${'x'.repeat(66_000)}"}`)],
  ]) {
    const client = await RawClient.open(server, `/app/${APP.key}?protocol=7`);
    assert.equal((await client.frame()).opcode, OPCODE.text);
    client.write(text(payload));
    let frame = await client.frame();
    while (frame.opcode === OPCODE.text) frame = await client.frame();
    assert.equal(frame.code, code);
  }
  await untilNobody(server);
});

channelTest('random bytes, and good frames with one byte changed, harm nobody', {}, async (server) => {
  const witness = await Peer.open(server);
  await witness.subscribe('tea');
  const peer = await Peer.open(server);
  const member = '{\\"user_id\\":\\"1\\",\\"user_info\\":{\\"a\\":[1,null]}}';
  const good = [
    subscribe('{"channel":"tea","auth":""}'),
    subscribe(`{"channel":"presence-a","auth":"","channel_data":"${member}"}`),
    '{"event":"client-ev","channel":"private-tea","data":{"a":[1,2,{"b":null}]}}',
    '{"event":"pusher:unsubscribe","data":{"channel":"tea"}}', '{"event":"pusher:ping","data":{}}',
  ];
  for (let i = 0; i < 2000; i++) {
    const bytes = Buffer.from(good[i % good.length]);
    bytes[(i * 7919) % bytes.length] = 32 + (i * 104729) % 95;
    peer.sendText(bytes.toString());
    if (i % 10 === 0) peer.sendText(randomBytes(50).toString('base64'));
  }
  peer.send('pusher:ping', { last: true });
  await backend(server).trigger('tea', 'ev', 'all is well');
  await witness.expect('ev', 'tea', 'all is well');
  peer.client.terminate();
  await witness.leave();
  await untilNobody(server);
});

/* --- signatures of others ----------------------------------------------------------------------------------------- */

channelTest('what was signed for another is of no use', { args: appArgs('', OTHER_APP) }, async (server) => {
  const [victim, thief] = await openPeers(server, 2);
  const otherApps = await Peer.open(server, { app: OTHER_APP });
  const member = '{"user_id":"victim"}';
  for (const channel of ['private-tea', 'private-encrypted-tea', 'presence-tea']) {
    const channelData = channel.startsWith('presence-') ? member : undefined;
    const auth = channelAuth(victim.socketId, channel, channelData);
    await victim.subscribe(channel, { channelData });
    for (const one of [thief, otherApps]) {
      one.askFor(channel, { auth, channelData });
      await one.expectRefusal(channel);
    }
  }
  thief.askFor('presence-tea', {
    channelData: '{"user_id":"admin"}', auth: channelAuth(thief.socketId, 'presence-tea', member),
  });
  await thief.expectRefusal('presence-tea');
  assert.deepEqual(await ask(server, '/channels/presence-tea/users'), { users: [{ id: 'victim' }] });
});

channelTest('a signature does not move its colons', {}, async (server) => {
  const peer = await Peer.open(server);
  const channelData = '{"user_id":"1"}';
  /* What is signed as ID:presence-a:DATA must not count for a channel "presence-a:DATA". */
  const channel = `presence-a:${channelData}`;
  peer.send('pusher:subscribe', { channel, auth: channelAuth(peer.socketId, 'presence-a', channelData) });
  await peer.expectRefusal(channel, { type: 'BadRequest', status: 400 });
  await peer.expectQuiet();
});

channelTest('channel_data that is no UTF-8 or no JSON is refused', {}, async (server) => {
  const peer = await Peer.open(server);
  for (const channelData of ['{"user_id":"\\ud800"}', '{"user_id":"1"', '\u0000', deep(100)]) {
    peer.askFor('presence-a', { channelData });
    await peer.expectRefusal('presence-a');
  }
  /* A lone surrogate cannot be said in UTF-8: such a frame is no JSON at all. */
  peer.sendText(subscribe('{"channel":"presence-a","auth":"x","channel_data":"\\udc00"}'));
  await peer.expectError(null);
  assert.deepEqual(await ask(server, '/channels/presence-a/users'), { users: [] });
});

/* --- the API ------------------------------------------------------------------------------------------------------ */

channelTest('bad requests in a row leave the connection and the server as they were', {}, async (server) => {
  const witness = await Peer.open(server);
  await witness.subscribe('tea');
  const EVENT = { name: 'ev', channel: 'tea', data: 'x' };
  const old = { auth_timestamp: `${Math.floor(Date.now() / 1000) - 601}` };
  const future = { auth_timestamp: `${Math.floor(Date.now() / 1000) + 610}` };
  const client = await RawClient.connect(server);
  for (const [status, options, path = '/events'] of [
    [401, { body: EVENT, params: old }], [401, { body: EVENT, params: future }],
    [413, { body: { ...EVENT, data: 'x'.repeat(10_241) } }],
    [400, { body: { ...EVENT, channel: undefined, channels: Array.from({ length: 101 }, (_, i) => `c${i}`) } }],
    [400, { body: { batch: Array(11).fill(EVENT) } }, '/batch_events'],
    [400, { body: deep(33) }], [400, { body: `{"name":"a","channel":"tea","data":"x","info":${deep(100)}}` }],
    [400, { body: deep(200_000) }], [400, { body: '{"a":'.repeat(100_000) }],
    [400, { body: randomBytes(1000) }], [400, { body: '\u0000' }],
    [400, { body: Buffer.from('{"name":"ev","channel":"tea","data":"\xed\xa0\x80"}', 'latin1') }],
    [400, { body: { batch: [{ ...EVENT, name: 7 }] } }, '/batch_events'],
    [400, { body: { batch: [EVENT, null] } }, '/batch_events'],
    [200, { body: EVENT }],
  ]) {
    client.write(signedRequest('POST', path, options));
    const answer = await client.answer();
    assert.equal(answer.status, status, `${JSON.stringify(options).slice(0, 200)}: ${answer.body}`);
  }
  await witness.expect('ev', 'tea', 'x');
  await witness.expectQuiet();
  client.destroy();
  await witness.leave();
  await untilNobody(server);
});

channelTest('bad escapes and endless queries are refused', {}, async (server) => {
  for (const [statuses, target] of [
    [[400, 401], `/apps/${APP.id}/channels?auth_key=%zz`], [[400, 401], `/apps/${APP.id}/channels?%`],
    [[400, 401], `/apps/${APP.id}/channels?${'a=1&'.repeat(1000)}`], [[400, 404], '/apps/%zz/channels'],
    [[400, 401, 404], `/apps/${APP.id}/channels/%00`], [[400, 401], `/apps/${APP.id}/channels?`],
    [[400, 404], '/apps/'], [[404], '/apps'], [[400, 404], `/apps/${'9'.repeat(8000)}/channels`],
  ]) {
    const client = await RawClient.connect(server);
    client.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const { status } = await client.answer();
    assert.ok(statuses.includes(status), `${status} to ${target.slice(0, 100)}`);
    client.destroy();
  }
  assert.equal((await call(server, 'GET', '/channels')).status, 200);
});

channelTest('who sends nothing but rubbish costs the others nothing', {}, async (server) => {
  const peers = await openPeers(server, 20);
  const witness = await Peer.open(server);
  await witness.subscribe('tea');
  for (let i = 0; i < 500; i++) for (const peer of peers) peer.sendText('{"event":');
  for (let i = 0; i < 10; i++) {
    await backend(server).trigger('tea', 'ev', i);
    await witness.expect('ev', 'tea', `${i}`);
  }
  for (const peer of peers) for (let i = 0; i < 500; i++) await peer.expectError(null);
  for (const peer of peers) peer.client.terminate();
  await within(Promise.all(peers.map((peer) => peer.ended)), 'the end of rubbish');
  await untilCounters(server, (now) => now.connections_open === 1, 'the witness to be left');
});
