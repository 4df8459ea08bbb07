/* tests/e2e/page_people.test.mjs - the chat page's lists and the people behind them: what a browser remembers of rooms
 * and direct conversations over reloads and in several windows, who one is, who is here. What is said and kept is in
 * page.test.mjs. */

import assert from 'node:assert/strict';
import {
  box, choosePlace, enterChat, message, messageOf, newRoom, openChat, send, signedInAfter, stateIs, waitsLong,
} from './browser.mjs';
import { newGuest, post } from './guests.mjs';
import { HISTORY, pageTests, rawClient } from './page.mjs';
import { startServer } from './server.mjs';
import { until } from './support.mjs';

const PHONE = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };
const DIRECTS_MAX = 20;

const { pageTest, browser } = pageTests();

const isForDirect = (request) => request.url().endsWith('/guests/auth')
  && request.postData().includes('private-direct-');

const idOf = (page) => page.evaluate(() => JSON.parse(sessionStorage.token).split('.')[0]);

const direct = (page, name) => page.locator('#directs bdi', { hasText: new RegExp(`^${name}$`) });

const frame = (page) => page.evaluate(() => new Promise((resolve) => {
  requestAnimationFrame(() => requestAnimationFrame(resolve));
}));

/* One more window of the same browser. */
async function anotherWindow(page, url = page.url()) {
  const other = await page.context().newPage();
  other.setDefaultTimeout(10_000);
  await enterChat(other, url);
  return other;
}

/* Anna has written to Ben, who knows it. */
async function annaAndBen(server) {
  const anna = await openChat(browser(), server.url, { name: 'Anna' });
  const ben = await openChat(browser(), server.url, { name: 'Ben' });
  await anna.getByRole('button', { name: 'Write to Ben' }).click();
  await send(anna, 'hello Ben');
  await ben.locator('#directs .badge', { hasText: '1' }).waitFor();
  return [anna, ben];
}

/* ---- The lists ------------------------------------------------------------------------------------------------ */

pageTest('a conversation whose history has not come yet is not forgotten', HISTORY, async (server) => {
  const [anna, ben] = await annaAndBen(server);
  await frame(ben);
  let isSlow = true;
  await ben.route('**/guests/auth', (route) => {
    if (!isSlow || !isForDirect(route.request())) route.continue();
  });
  await ben.reload();
  await ben.getByRole('button', { name: 'Write to Anna' }).waitFor();    /* all is here but this */
  await frame(ben);
  isSlow = false;
  await ben.reload();
  await direct(ben, 'Anna').waitFor();
  await send(anna, 'still there?');
  await ben.locator('#directs .badge', { hasText: '2' }).waitFor();

  /* What pages up to now have stored. */
  await ben.evaluate((key) => {
    localStorage[key] = JSON.stringify(JSON.parse(localStorage[key]).map(([peer, name]) => [peer, name]));
  }, `directs ${await idOf(ben)}`);
  await ben.reload();
  await direct(ben, 'Anna').waitFor();
  await ben.getByRole('button', { name: 'Close Anna' }).focus();
  await ben.keyboard.press('Enter');
  await direct(ben, 'Anna').waitFor({ state: 'detached' });
  await ben.reload();
  await ben.getByRole('button', { name: 'Write to Anna' }).waitFor();
  await frame(ben);
  assert.equal(await direct(ben, 'Anna').count(), 0, 'what was closed stays closed');
});

pageTest('who was invited before a reload hears what is said after it', HISTORY, async (server) => {
  const anna = await openChat(browser(), server.url, { name: 'Anna' });
  const ben = await openChat(browser(), server.url, { name: 'Ben' });
  const invited = anna.waitForRequest(isForDirect);
  await ben.getByRole('button', { name: 'Write to Anna' }).click();
  await invited;
  await anna.reload();
  await anna.getByRole('button', { name: 'Write to Ben' }).waitFor();
  assert.equal(await anna.locator('#directs li').count(), 0, 'nothing was said');
  await send(ben, 'did you get this?');
  await anna.locator('#directs .badge', { hasText: '1' }).waitFor();
  assert.equal(await anna.title(), '(1) Lobby · ringcast');
});

pageTest('a full list: invitations drive no conversation out, a chosen one the silent ones', HISTORY,
  async (server) => {
    const [anna] = await annaAndBen(server);
    const annaId = await idOf(anna);
    const invite = async (name) => {
      const guest = await newGuest(server, name);
      const channel = `private-direct-${[guest.id, annaId].sort().join()}`;
      const asked = anna.waitForRequest((request) => isForDirect(request) && request.postData().includes(channel));
      const said = { token: guest.token, name, socket_id: '1.1', channel_name: channel };
      assert.equal((await post(server, '/guests/auth', said)).status, 200);
      await asked;
    };
    /* Ben is the first, and there is room for one more. */
    await anna.evaluate(([key, count]) => {
      const others = Array.from({ length: count }, (_, i) => [`gaaaaaaaaaa${i + 10}`.slice(0, 13), `Old ${i}`, true]);
      localStorage[key] = JSON.stringify([...JSON.parse(localStorage[key]), ...others]);
    }, [`directs ${annaId}`, DIRECTS_MAX - 2]);
    const { signIns } = anna;
    await anna.reload();
    await messageOf(anna, 'hello Ben');
    await signedInAfter(anna, signIns);    /* an invitation is told once */
    for (const name of ['Eve', 'Eva', 'Ewa']) await invite(name);
    await send(anna, 'still with you');
    await message(anna, 'still with you', { state: 'sent' }).waitFor();
    await direct(anna, 'Ben').waitFor();

    await choosePlace(anna, 'Lobby');
    for (const name of ['Cleo', 'Dora']) {
      await openChat(browser(), server.url, { name });
      await anna.getByRole('button', { name: `Write to ${name}` }).click();
      await direct(anna, name).waitFor();
      await choosePlace(anna, 'Lobby');
    }
    const listed = await anna.locator('#directs bdi').allTextContents();
    assert.equal(listed.length, DIRECTS_MAX);
    for (const name of ['Ben', 'Dora']) assert.ok(listed.includes(name), `${name} in ${listed}`);
  });

pageTest('two windows of one person share their lists', HISTORY, async (server) => {
  const one = await openChat(browser(), server.url, { name: 'Anna' });
  const two = await anotherWindow(one);
  await openChat(browser(), server.url, { name: 'Ben' });
  await newRoom(one, 'tea');
  await newRoom(two, 'coffee');
  await choosePlace(one, 'Lobby');
  await one.getByRole('button', { name: 'Write to Ben' }).click();
  for (const page of [one, two]) {
    for (const name of ['tea', 'coffee', 'Ben']) await page.locator('#side bdi', { hasText: name }).waitFor();
  }
  const three = await anotherWindow(one, server.url);
  for (const name of ['tea', 'coffee', 'Ben']) await three.locator('#side bdi', { hasText: name }).waitFor();
  assert.deepEqual(await three.locator('#rooms bdi').allTextContents(), ['Lobby', 'coffee', 'tea']);
});

pageTest('two windows change a list at once: both changes stand, and what was changed again since is left alone',
  HISTORY, async (server) => {
    const page = await openChat(browser(), server.url, { name: 'Anna' });
    /* Another window's change, which is heard of when ours is written over it. */
    const hear = (key, before, after) => page.evaluate(([where, oldValue, newValue]) => {
      dispatchEvent(new StorageEvent('storage', { key: where, oldValue, newValue }));
    }, [key, before, after].map((value) => (typeof value === 'string' ? value : JSON.stringify(value))));
    const stored = (key) => page.evaluate((where) => JSON.parse(localStorage[where]), key);
    await newRoom(page, 'milk');
    await newRoom(page, 'tea');
    await hear('rooms', ['lobby', 'milk'], ['lobby', 'coffee']);
    await page.locator('#rooms bdi', { hasText: 'coffee' }).waitFor();
    assert.deepEqual(await stored('rooms'), ['lobby', 'tea', 'coffee']);
    await hear('rooms', ['lobby', 'tea'], ['lobby']);
    assert.deepEqual(await stored('rooms'), ['lobby', 'tea', 'coffee'], 'one is in it');

    await openChat(browser(), `${server.url}/room/tea`, { name: 'Ben' });
    await page.getByRole('button', { name: 'Write to Ben' }).click();
    await page.getByRole('heading', { level: 1, name: 'Ben' }).waitFor();
    const key = `directs ${await idOf(page)}`;
    const [ben] = await stored(key);
    await hear(key, [], [['gaaaaaaaaaaaa', 'Cleo', true], [ben[0], 'Ben', false]]);
    await direct(page, 'Cleo').waitFor();
    assert.deepEqual(await stored(key), [ben, ['gaaaaaaaaaaaa', 'Cleo', true]]);

    await choosePlace(page, 'tea');
    await send(page, 'mine');
    await message(page, 'mine', { state: 'sent' }).waitFor();
    const own = await stored('own tea');
    await hear('own tea', own.slice(0, 1), [own[0], [own[1][0], 1000]]);
    assert.deepEqual(await stored('own tea'), [...own, [own[1][0], 1000]]);

    await page.evaluate(() => { localStorage.rooms = '["lobby"]'; });    /* by somebody who knew of all */
    await hear('rooms', ['lobby'], ['lobby', 'water']);
    assert.deepEqual(await stored('rooms'), ['lobby']);
  });

/* ---- Who one is ----------------------------------------------------------------------------------------------- */

pageTest('a server that no longer knows anybody: each person is one new guest, in all windows', HISTORY,
  async (server) => {
    const anna = await openChat(browser(), server.url, { name: 'Anna' });
    const ben = await openChat(browser(), server.url, { name: 'Ben' });
    const windows = [anna, await anotherWindow(anna), ben];
    let asked = 0;
    anna.on('request', (request) => { asked += request.url().endsWith('/guests') ? 1 : 0; });
    /* Both of Anna's windows lose their token before either has another. */
    const refused = windows.slice(0, 2).map((page) => page.waitForResponse((answer) => answer.status() === 401));
    await anna.context().route('**/guests', async (route) => {
      await Promise.all(refused);
      await route.continue();
    });
    const signIns = windows.map((page) => page.signIns);
    await server.kill();
    for (const page of windows) await stateIs(page, 'Disconnected');    /* or the help is for the line that is dead */
    const next = await startServer(HISTORY, { port: server.port });
    try {
      for (const page of windows) await page.evaluate(() => dispatchEvent(new Event('online')));
      for (const page of windows) await stateIs(page, 'Connected');
      for (const page of windows) await page.getByText('2 people here').waitFor();
      for (const [i, page] of windows.entries()) await signedInAfter(page, signIns[i]);
      assert.equal(asked, 1);
      await ben.getByRole('button', { name: 'Write to Anna' }).click();
      await send(ben, 'after the restart');
      for (const page of windows.slice(0, 2)) await page.locator('#directs .badge', { hasText: '1' }).waitFor();
      assert.deepEqual(await ben.locator('#people bdi').allTextContents(), ['Ben', 'Anna']);
    } finally {
      await next.kill();
    }
  }, { endsWell: false });

for (const isHelped of [true, false]) {
  const how = isHelped ? 'when the network is back' : 'by itself';
  pageTest(`a server with another key whose page cannot be fetched at first: the chat goes on ${how}`, ['--guests'],
    async (server) => {
      const page = await openChat(browser(), server.url, { name: 'Anna' });
      if (isHelped) await waitsLong(page);
      else await page.evaluate(() => { Math.random = () => 0.01; });
      let refusals = 0;
      await page.route(server.url, (route) => {
        refusals += 1;
        if (refusals === 1 || (isHelped && refusals < 3)) route.abort();
        else if (refusals === 2) route.fulfill({ status: 502, body: 'starting' });
        else route.continue();
      });
      await server.kill();
      if (isHelped) await stateIs(page, 'Disconnected');    /* or the first help is for the line that is dead */
      const next = await startServer(['--guests'], { port: server.port });
      try {
        for (let i = 0; isHelped && i < 3; i++) {
          if (i > 0) await page.getByText(/^Trying again in /).waitFor();
          await page.evaluate(() => dispatchEvent(new Event('online')));
        }
        await until(() => refusals === 3, 'the page to be asked for');    /* until then it may not have noticed */
        await stateIs(page, 'Connected');
        assert.equal(await page.locator('#notice').textContent(), '');
      } finally {
        await next.kill();
      }
    }, { endsWell: false });
}

pageTest('a name is changed in all windows of its guest, and in everybody\'s list', HISTORY, async (server) => {
  const one = await openChat(browser(), server.url, { name: 'Anna' });
  await one.context().addInitScript(() => {    /* a window in the background that learns it late */
    const held = [];
    addEventListener('storage', (event) => {
      if (!event.isTrusted || globalThis.isAwake) return;
      event.stopImmediatePropagation();
      held.push(event);
    });
    globalThis.awake = () => {
      globalThis.isAwake = true;
      for (const { key, oldValue, newValue } of held) {
        dispatchEvent(new StorageEvent('storage', { key, oldValue, newValue }));
      }
    };
  });
  const two = await anotherWindow(one);
  const ben = await openChat(browser(), server.url, { name: 'Ben' });
  await ben.getByRole('button', { name: 'Write to Anna' }).waitFor();
  const rename = async (page, name) => {
    await page.getByRole('button', { name: 'Change name' }).click();
    await page.getByRole('textbox', { name: 'Your name' }).fill(name);
    await page.keyboard.press('Enter');
  };
  await rename(one, 'Annabel');
  await one.locator('#people bdi', { hasText: /^Anna$/ }).waitFor();    /* in again, and still the other's name */
  await two.evaluate(() => globalThis.awake());
  await ben.getByRole('button', { name: 'Write to Annabel' }).waitFor();
  for (const page of [one, two]) await page.locator('#own-name', { hasText: /^Annabel$/ }).waitFor();
  await rename(two, '');
  await one.locator('#own-kind', { hasText: 'Guest' }).waitFor();
  await ben.getByRole('button', { name: /^Write to Guest / }).waitFor();
  assert.deepEqual([one.problems, ben.problems], [[], []]);
});

/* ---- Who is here ---------------------------------------------------------------------------------------------- */

pageTest('a crowd is shown once per frame, and not more of it than one reads', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  await openChat(browser(), server.url, { name: 'Ben' });
  const ben = page.getByRole('button', { name: 'Write to Ben' });
  await ben.focus();
  const rowsAtOnce = await page.evaluate(async () => {
    const { presenceChannel } = await import('/people.js');
    const channel = presenceChannel();
    for (let i = 0; i < 1000; i++) {
      channel.members.set(`g${i}`, { name: `Guest ${i}` });
      channel._emit('members', channel.members);
    }
    return document.querySelectorAll('#people li').length;
  });
  assert.equal(rowsAtOnce, 2);
  await page.getByText('and 802 more').waitFor();
  await page.getByText('1002 people here').waitFor();
  assert.equal(await page.locator('#people li').count(), 200);
  assert.equal(await ben.evaluate((button) => button === document.activeElement), true);
});

pageTest('a conversation is told that the other one has left', HISTORY, async (server) => {
  const [anna, ben] = await annaAndBen(server);
  await anna.evaluate(async () => {
    const { Place } = await import('/place.js');
    Place.prototype.peerLeft = function peerLeft() { globalThis.whoLeft = this.name; };
  });
  await ben.close();
  await anna.waitForFunction(() => globalThis.whoLeft === 'Ben');
});

pageTest('without a connection nobody is said to be here or typing', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  const ben = await openChat(browser(), server.url, { name: 'Ben' });
  await waitsLong(page);
  const dot = () => page.locator('#people .avatar').first()
    .evaluate((avatar) => getComputedStyle(avatar, '::after').backgroundColor);
  await page.getByText('2 people here').waitFor();
  const green = await dot();
  await box(ben).pressSequentially('Hel');
  await page.getByText('Ben is typing…').waitFor();
  await server.kill();
  await stateIs(page, 'Disconnected');
  assert.equal(await page.locator('#typing').textContent(), '');
  assert.equal(await page.getByText(/people here|Here now/).count(), 0);
  assert.notEqual(await dot(), green);
}, { endsWell: false });

/* ---- What is in the way --------------------------------------------------------------------------------------- */

pageTest('an address that is percent-encoded leads to its room, one of no room to the lobby', HISTORY,
  async (server) => {
    const raw = await rawClient(server, '/room/A@b');
    const page = await openChat(browser(), `${server.url}/room/%41%40b`, { name: 'Anna' });
    await page.waitForURL(`${server.url}/room/A@b`);
    raw.send('Ben: found you');
    await messageOf(page, 'found you');
    for (const path of ['/room/a!b', '/room/%zz', '/room/private-x']) {
      await page.evaluate((to) => {
        history.pushState(null, '', to);
        dispatchEvent(new PopStateEvent('popstate'));
      }, path);
      await page.getByRole('dialog', { name: /^There is no room/ }).waitFor();
      await page.getByRole('button', { name: 'Go to the lobby' }).click();
      await page.waitForURL(`${server.url}/`);
      await page.getByRole('heading', { level: 1, name: 'Lobby' }).waitFor();
    }
    await send(page, 'here');
    await message(page, 'here', { state: 'sent' }).waitFor();
    assert.deepEqual(page.problems, []);
    raw.terminate();
  });

pageTest('rooms are named in any script: the address keeps it, the channel is made from it', HISTORY,
  async (server) => {
    const name = '日本語 の部屋';
    const page = await openChat(browser(), server.url, { name: 'Anna' });
    const headIs = (title) => page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor();
    const pathIs = (path) => page.waitForFunction((wanted) => decodeURIComponent(location.pathname) === wanted, path);
    await newRoom(page, `  ${name} `);
    await headIs(name);
    await pathIs(`/room/${name}`);
    await page.getByText('Only you are here').waitFor();
    const channel = `=${Buffer.from(name).toString('base64url')}`;
    for (const path of [encodeURIComponent(name), channel]) {
      const raw = await rawClient(server, `/room/${path}`);
      raw.send(`Ben: ${path}`);
      await messageOf(page, path);
      raw.terminate();
    }
    await page.reload();
    await stateIs(page, 'Connected');
    await messageOf(page, channel);
    await page.locator('#rooms [aria-current] bdi', { hasText: name }).waitFor();

    for (const [path, title] of [
      [`/room/${encodeURIComponent('cafe\u0301')}`, 'caf\u00e9'], ['/room/=5pel5pys', '日本'], ['/room/=5pel', '日'],
      ['/room/%F0%9F%8D%B5', '🍵'], ['/room/%D7%97%D7%93%D7%A8', 'חדר'], ['/room/=x', '=x'], ['/room/=dGVh', '=dGVh'],
    ]) {
      await page.goto(server.url + path);
      await headIs(title);
      await pathIs(`/room/${title}`);
      await page.getByText('Only you are here').waitFor();
    }
    const all = await page.locator('#rooms bdi').allTextContents();
    assert.equal(new Set(all).size, all.length);
    assert.deepEqual(page.problems, []);
  });

pageTest('the Enter that ends a composition sends nothing, also in Safari', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  await box(page).fill('にほん');
  for (const init of [{ isComposing: true }, { keyCode: 229 }]) {
    await box(page).evaluate((text, more) => text.dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...more })), init);
  }
  assert.equal(await box(page).inputValue(), 'にほん');
  assert.equal(await page.locator('.message').count(), 0);
});

pageTest('small screens: one line of placeholder, targets for fingers, room beside a keyboard', HISTORY,
  async (server) => {
    const page = await openChat(browser(), `${server.url}/room/a-room-with-a-rather-long-name-indeed`, PHONE);
    await page.locator('#menu').click();
    const targets = await page.locator('.icon-button, #send').evaluateAll((all) => all
      .filter(({ offsetWidth: width, offsetHeight: height }) => width > 0 && (width < 44 || height < 44))
      .map((element) => element.outerHTML.slice(0, 80))); /* as laid out: a drawer still moves, by parts of pixels */
    assert.deepEqual(targets, []);
    await page.keyboard.press('Escape');
    assert.equal(await box(page).evaluate((text) => text.scrollHeight <= text.clientHeight), true);

    /* A keyboard that covers the page. */
    await page.evaluate(() => {
      Object.defineProperty(visualViewport, 'height', { value: 240 });
      visualViewport.dispatchEvent(new Event('resize'));
    });
    const bottom = await page.locator('.composer').evaluate((element) => element.getBoundingClientRect().bottom);
    assert.equal(bottom, 240);
    for (const hidden of ['#subtitle', '.under']) assert.equal(await page.locator(hidden).isVisible(), false);
  });
