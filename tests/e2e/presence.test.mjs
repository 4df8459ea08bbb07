/* tests/e2e/presence.test.mjs - presence channels: members by user, however many connections they have. */

import assert from 'node:assert/strict';
import { until, untilNobody } from './support.mjs';
import {
  ask, backend, channelAuth, channelTest, listen, openPeers, Peer, pusherClient, subscribe, untilState,
} from './channels.mjs';

const ROOM = 'presence-room';
const ANN = { user_id: '42', user_info: { name: 'Ann' } };
const BEN = { user_id: '7', user_info: { name: 'Ben' } };

const list = (...members) => ({
  presence: {
    ids: members.map((member) => member.user_id),
    hash: Object.fromEntries(members.map((member) => [member.user_id, member.user_info ?? null])),
    count: members.length,
  },
});

/* The decoded data of a success, ids in one order. */
function sorted({ presence: { ids, hash, count } }) {
  return { presence: { ids: [...ids].sort(), hash, count } };
}

async function expectAdded(peer, { user_id: userId, user_info: info = null }) {
  const { event, channel, data } = await peer.next(`${userId} to be added`);
  assert.deepEqual([event, channel], ['pusher_internal:member_added', ROOM]);
  assert.deepEqual(JSON.parse(data), { user_id: userId, user_info: info });
}

async function expectRemoved(peer, { user_id: userId }) {
  const { event, channel, data } = await peer.next(`${userId} to be removed`);
  assert.deepEqual([event, channel], ['pusher_internal:member_removed', ROOM]);
  assert.deepEqual(JSON.parse(data), { user_id: userId });
}

/* A marker that all in the room must see next: nothing else was sent to it before. */
async function expectNothingElse(server, ...peers) {
  await backend(server).trigger(ROOM, 'marker', '');
  for (const peer of peers) await peer.expect('marker', ROOM, '');
}

/* --- two users ---------------------------------------------------------------------------------------------------- */

channelTest('members see who is there, who comes and who leaves', {}, async (server) => {
  const [anna, ben] = [pusherClient(server, { member: ANN }), pusherClient(server, { member: BEN })];
  const annasRoom = await subscribe(anna, ROOM);
  assert.equal(annasRoom.members.count, 1);
  assert.deepEqual(annasRoom.members.me, { id: '42', info: { name: 'Ann' } });
  const [added, removed] = [listen(annasRoom, 'pusher:member_added'), listen(annasRoom, 'pusher:member_removed')];
  const bensRoom = await subscribe(ben, ROOM);
  assert.equal(bensRoom.members.count, 2);
  assert.deepEqual(bensRoom.members.get('42').info, { name: 'Ann' });
  assert.deepEqual(bensRoom.members.me, { id: '7', info: { name: 'Ben' } });
  assert.deepEqual(await added.next(), { id: '7', info: { name: 'Ben' } });
  assert.equal(annasRoom.members.count, 2);
  assert.deepEqual((await ask(server, `/channels/${ROOM}/users`)).users.map(({ id }) => id).sort(), ['42', '7']);
  ben.unsubscribe(ROOM);
  assert.deepEqual(await removed.next(), { id: '7', info: { name: 'Ben' } });
  await subscribe(ben, ROOM);
  assert.deepEqual(await added.next(), { id: '7', info: { name: 'Ben' } });
  ben.disconnect();
  assert.deepEqual(await removed.next(), { id: '7', info: { name: 'Ben' } });
  assert.equal(annasRoom.members.count, 1);
});

channelTest('the frames of a presence channel are as they must be', {}, async (server) => {
  const [anna, ben] = await openPeers(server, 2);
  assert.deepEqual(await anna.subscribe(ROOM, { member: ANN }), list(ANN));
  assert.deepEqual(sorted(await ben.subscribe(ROOM, { member: BEN })), list(ANN, BEN));
  await expectAdded(anna, BEN);
  await expectNothingElse(server, anna, ben);
  ben.send('pusher:unsubscribe', { channel: ROOM });
  await expectRemoved(anna, BEN);
  await ben.subscribe(ROOM, { member: BEN });
  await expectAdded(anna, BEN);
  ben.client.terminate();
  await expectRemoved(anna, BEN);
  await expectNothingElse(server, anna);
  await anna.leave();
  await untilNobody(server);
});

/* --- two tabs ----------------------------------------------------------------------------------------------------- */

for (const first of ['older', 'newer']) {
  channelTest(`of two tabs of a user the ${first} is closed first`, {}, async (server) => {
    const [watcher, ...tabs] = await openPeers(server, 3);
    await watcher.subscribe(ROOM, { member: BEN });
    await tabs[0].subscribe(ROOM, { member: ANN });
    await expectAdded(watcher, ANN);
    assert.deepEqual(sorted(await tabs[1].subscribe(ROOM, { member: ANN })), list(ANN, BEN));
    await expectNothingElse(server, watcher, ...tabs);
    assert.deepEqual(await ask(server, `/channels/${ROOM}`, { info: 'user_count,subscription_count' }),
      { occupied: true, user_count: 2, subscription_count: 3 });
    const [leaving, staying] = first === 'older' ? tabs : [...tabs].reverse();
    await leaving.leave();
    const count = async () => (await ask(server, `/channels/${ROOM}`, { info: 'subscription_count' }));
    await until(async () => (await count()).subscription_count === 2, 'the first tab to be gone');
    await expectNothingElse(server, watcher, staying);
    staying.client.terminate();
    await expectRemoved(watcher, ANN);
    await expectNothingElse(server, watcher);
  });
}

channelTest('the first info of a user holds while it is there', {}, async (server) => {
  const [watcher, first, second, third] = await openPeers(server, 4);
  await watcher.subscribe(ROOM, { member: BEN });
  await first.subscribe(ROOM, { member: ANN });
  await expectAdded(watcher, ANN);
  const renamed = { user_id: '42', user_info: { name: 'Annie' } };
  assert.deepEqual(sorted(await second.subscribe(ROOM, { member: renamed })), list(ANN, BEN));
  await first.leave();
  assert.deepEqual(sorted(await third.subscribe(ROOM, { member: renamed })), list(ANN, BEN));
  await expectNothingElse(server, watcher, second, third);
  await second.leave();
  await third.leave();
  await expectRemoved(watcher, ANN);
  const again = await Peer.open(server);
  assert.deepEqual(sorted(await again.subscribe(ROOM, { member: renamed })), list(renamed, BEN));
  await expectAdded(watcher, renamed);
});

channelTest('a connection that is cut leaves, and comes back as one member', {}, async (server) => {
  const [watcher, client] = [await Peer.open(server), pusherClient(server, { member: ANN })];
  await watcher.subscribe(ROOM, { member: BEN });
  const room = await subscribe(client, ROOM);
  await expectAdded(watcher, ANN);
  client.disconnect();
  await expectRemoved(watcher, ANN);
  client.connect();
  await untilState(client, 'connected');
  await expectAdded(watcher, ANN);
  await until(() => room.subscribed && room.members.count === 2, 'both members');
});

/* --- what a member may be ----------------------------------------------------------------------------------------- */

channelTest('a numeric user_id is its decimal text everywhere', {}, async (server) => {
  const [anna, ben] = await openPeers(server, 2);
  await anna.subscribe(ROOM, { member: ANN });
  for (const [text, id] of [['7', '7'], ['9007199254740993', '9007199254740993'], ['0', '0']]) {
    await ben.subscribe(ROOM, { channelData: `{"user_id":${text},"user_info":{"n":1}}` });
    await expectAdded(anna, { user_id: id, user_info: { n: 1 } });
    assert.deepEqual((await ask(server, `/channels/${ROOM}/users`)).users.map((user) => user.id).sort(),
      ['42', id].sort());
    ben.send('pusher:unsubscribe', { channel: ROOM });
    await expectRemoved(anna, { user_id: id });
  }
  await ben.subscribe(ROOM, { channelData: '{"user_id":42}' });
  await expectNothingElse(server, anna, ben);
});

channelTest('user_info may be missing, or any JSON', {}, async (server) => {
  const [anna, ben] = await openPeers(server, 2);
  await anna.subscribe(ROOM, { member: ANN });
  const deep = { ünï: ['🎉', '"', '\\', '\n'] };
  for (const info of [undefined, null, true, [1, 2], [], {}, 'text', 5, { deep }]) {
    const member = { user_id: 'u', user_info: info };
    const { presence } = await ben.subscribe(ROOM, { member });
    assert.deepEqual(presence.hash.u, info ?? null);
    await expectAdded(anna, member);
    ben.send('pusher:unsubscribe', { channel: ROOM });
    await expectRemoved(anna, member);
  }
  const client = pusherClient(server, { member: { user_id: 'no-info' } });
  const room = await subscribe(client, ROOM);
  assert.deepEqual([room.members.count, room.members.me], [2, { id: 'no-info', info: null }]);
});

channelTest('numbers in user_info stay digit for digit', {}, async (server) => {
  const [anna, ben] = await openPeers(server, 2);
  await anna.subscribe(ROOM, { member: ANN });
  ben.askFor(ROOM, { channelData: '{"user_id":"7","user_info":[12345678901234567890,1.10,1E2]}' });
  assert.ok((await ben.next()).data.includes('[12345678901234567890,1.10,1E2]'));
  assert.ok((await anna.next()).data.includes('[12345678901234567890,1.10,1E2]'));
});

channelTest('who is no proper member is refused', { settings: 'member_bytes_max=100' }, async (server) => {
  const [anna, ben] = await openPeers(server, 2);
  await anna.subscribe(ROOM, { member: ANN });
  for (const channelData of [
    undefined, '', 'null', '[]', '"text"', '{}', '{"user_id":', '{"user_id":null}', '{"user_id":""}',
    '{"user_id":true}', '{"user_id":["1"]}', '{"user_id":{"id":"1"}}', '{"user_info":{}}', '{"user_id":"1"} x',
    `{"user_id":"${'x'.repeat(129)}"}`, '{"user_id":"1","user_id":"2"}',
    `{"user_id":"1","user_info":${'['.repeat(40)}${']'.repeat(40)}}`,
  ]) {
    ben.askFor(ROOM, { channelData });
    await ben.expectRefusal(ROOM);
  }
  ben.askFor(ROOM, { channelData: `{"user_id":"1","user_info":"${'x'.repeat(101)}"}` });
  await ben.expectRefusal(ROOM, { type: 'LimitReached', status: 4301 });
  ben.askFor(ROOM, { member: BEN, auth: channelAuth(ben.socketId, ROOM) });
  await ben.expectRefusal(ROOM);
  ben.askFor(ROOM, { channelData: JSON.stringify(BEN), auth: channelAuth(ben.socketId, ROOM, JSON.stringify(ANN)) });
  await ben.expectRefusal(ROOM);
  await expectNothingElse(server, anna);
  await ben.subscribe(ROOM, { member: { user_id: 'x'.repeat(128), user_info: 'x'.repeat(98) } });
});

channelTest('without channel_data a signed-in user is the member', {}, async (server) => {
  const [anna, ben] = await openPeers(server, 2);
  await anna.subscribe(ROOM, { member: ANN });
  await ben.signIn({ id: '7', user_info: { name: 'Ben' } });
  const success = await ben.subscribe(ROOM, { channelData: undefined });
  assert.deepEqual(sorted(success), list(ANN, BEN));
  await expectAdded(anna, BEN);
});

channelTest('members_max is how many members there may be', { settings: 'members_max=2' }, async (server) => {
  const [anna, ben, cleo, tab] = await openPeers(server, 4);
  await anna.subscribe(ROOM, { member: ANN });
  await ben.subscribe(ROOM, { member: BEN });
  await expectAdded(anna, BEN);
  cleo.askFor(ROOM, { member: { user_id: 'cleo' } });
  await cleo.expectRefusal(ROOM, { type: 'LimitReached', status: 4100 });
  await tab.subscribe(ROOM, { member: BEN });
  await expectNothingElse(server, anna, ben, tab);
  await anna.leave();
  await expectRemoved(ben, ANN);
  await cleo.subscribe(ROOM, { member: { user_id: 'cleo' } });
  await expectAdded(ben, { user_id: 'cleo' });
});

/* --- many --------------------------------------------------------------------------------------------------------- */

/* What a client makes of what it is told. */
async function membersSeen(peer, isEnough) {
  const { presence } = await peer.subscribe(ROOM, { member: peer.member });
  assert.equal(presence.ids.length, presence.count);
  assert.deepEqual([...presence.ids].sort(), Object.keys(presence.hash).sort());
  const seen = new Set(presence.ids);
  while (!isEnough(seen)) {
    const { event, data } = await peer.next(`more than ${seen.size} members`);
    assert.equal(event, 'pusher_internal:member_added');
    const { user_id: id } = JSON.parse(data);
    assert.ok(!seen.has(id), `${id} was there already`);
    seen.add(id);
  }
  return seen;
}

channelTest('300 join at once and all see the same 150 members', {}, async (server) => {
  const peers = await openPeers(server, 300);
  for (const [i, peer] of peers.entries()) peer.member = { user_id: `u${i % 150}`, user_info: { number: i } };
  const seen = await Promise.all(peers.map((peer) => membersSeen(peer, ({ size }) => size === 150)));
  for (const members of seen) assert.equal(members.size, 150);
  assert.equal((await ask(server, `/channels/${ROOM}/users`)).users.length, 150);
  assert.deepEqual(await ask(server, `/channels/${ROOM}`, { info: 'user_count,subscription_count' }),
    { occupied: true, user_count: 150, subscription_count: 300 });
  await expectNothingElse(server, ...peers);
  await Promise.all(peers.slice(0, 299).map((peer) => peer.leave()));
  const last = peers[299];
  for (let left = 149; left > 0; left--) {
    assert.equal((await last.next('a member to be removed')).event, 'pusher_internal:member_removed');
  }
  await expectNothingElse(server, last);
  assert.deepEqual((await ask(server, `/channels/${ROOM}/users`)).users, [{ id: 'u149' }]);
});
