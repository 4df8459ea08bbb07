/* tests/e2e/browser.mjs - headless Chromium (environment variable CHROMIUM, else Debian's) and windows of the chat.
 * Each window is a browser context of its own, so two windows share no storage, as two people would not. */

import { chromium } from 'playwright-core';
import { until } from './support.mjs';

const SWITCHES = [
  '--no-sandbox',               /* the tests may run as root, where Chromium starts in no other way */
  '--disable-dev-shm-usage',    /* containers have a tiny /dev/shm */
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchBrowser(...switches) {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: [...SWITCHES, ...switches] });
}

/* Opens the page at url and waits until it is connected. `name` is what the browser remembers as the chosen one.
 * page.problems collects whatever must not happen: console errors (a violated security policy is one), exceptions,
 * dialogs, requests to another origin. */
export async function openChat(browser, url, { name, ...contextOptions } = {}) {
  const context = await browser.newContext(contextOptions);
  if (name !== undefined) {
    await context.addInitScript((chosen) => { localStorage.name ??= JSON.stringify(chosen); }, name);
  }
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.problems = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') page.problems.push(message.text());
  });
  page.on('pageerror', (error) => page.problems.push(error.message));
  page.on('dialog', (dialog) => {
    page.problems.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) page.problems.push(`request: ${request.url()}`);
  });
  await enterChat(page, url);
  return page;
}

/* Opens the chat in an empty page, and waits until it is connected and, where there are guests, signed in: an
 * invitation is told once, and not to somebody whose room is there already but whose sign-in is on its way.
 * page.signIns counts the connections that were signed in. */
export async function enterChat(page, url) {
  page.signIns = 0;
  page.on('websocket', (line) => line.on('framereceived', ({ payload }) => {
    const text = payload.toString();
    if (text.includes('subscription_succeeded') && text.includes('"#server-to-user-')) page.signIns += 1;
  }));
  await page.goto(url);
  await stateIs(page, 'Connected');
  const guests = await page.locator('meta[name="ringcast-guests"]').getAttribute('content');
  if (guests === 'yes') await signedInAfter(page, 0);
}

export const signedInAfter = (page, count) => until(() => page.signIns > count, 'the page to sign in once more');

/* From now on the page does not try again by itself, or not before half an hour: its delays are random below a
 * ceiling of half a second to 30 s. Times 4000, also the longest is one that setTimeout() takes; with one of more than
 * 2^31 ms it would not wait at all. */
export const waitsLong = (page) => page.evaluate(() => { Math.random = () => 4000; });

/* Waits until the page says this of its connection; the words are compared whole. */
export async function stateIs(page, words, { timeout } = {}) {
  await page.locator('#state').filter({ hasText: new RegExp(`^${words}$`) }).waitFor({ timeout });
}

export const box = (page) => page.getByRole('textbox', { name: 'Message', exact: true });

export async function send(page, text) {
  await box(page).fill(text);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
}

/* The one message with exactly this text; `state` of own ones: sending, sent or failed. */
export function message(page, text, { state } = {}) {
  const exact = new RegExp(`^${text.replace(/[^\w\s]/g, '\\$&')}$`);
  const which = state === undefined ? '.message' : `.message[data-state="${state}"]`;
  return page.locator(which).filter({ has: page.locator('.text', { hasText: exact }) });
}

/* The same as { sender, time, own }; waits for it. */
export async function messageOf(page, text) {
  const found = message(page, text);
  await found.waitFor();
  return {
    sender: await found.locator('.name').textContent(),
    time: await found.locator('time').textContent(),
    own: await found.evaluate((item) => item.classList.contains('own')),
  };
}

/* The texts of all messages in the document, in their order. */
export const textsOf = (page) => page.locator('.message .text').allTextContents();

/* Waits until those texts are these. */
export async function textsAre(page, texts) {
  await page.waitForFunction((wanted) => {
    const found = [...document.querySelectorAll('.message .text')].map((text) => text.textContent);
    return JSON.stringify(found) === wanted;
  }, JSON.stringify(texts));
}

export async function choosePlace(page, name) {
  await page.locator('.places a').filter({ has: page.locator('bdi', { hasText: new RegExp(`^${name}$`) }) }).click();
  await page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
}

export async function newRoom(page, name) {
  await page.getByRole('button', { name: 'New room' }).click();
  await page.getByRole('textbox', { name: 'Go to a room' }).fill(name);
  await page.getByRole('button', { name: 'Go', exact: true }).click();
}
