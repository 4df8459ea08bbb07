/* tests/e2e/browser.mjs - headless Chromium (environment variable CHROMIUM, else Debian's) and windows of the chat.
 * Each window is a browser context of its own, so two windows share no storage, as two people would not. */

import { chromium } from 'playwright-core';

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

/* Opens the page at url and waits until it is connected. page.problems collects whatever must not happen: console
 * errors (a violated security policy is one), exceptions, dialogs, requests to another origin. */
export async function openChat(browser, url, { name, ...contextOptions } = {}) {
  const context = await browser.newContext(contextOptions);
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
  await page.goto(url);
  await stateIs(page, 'Connected');
  if (name !== undefined) {
    await page.getByLabel('Writing as').fill(name);
    await page.getByLabel('Writing as').blur();
  }
  return page;
}

/* Waits until the page says this of its connection; the words are compared whole. */
export async function stateIs(page, words, { timeout } = {}) {
  await page.locator('#state').filter({ hasText: new RegExp(`^${words}$`) }).waitFor({ timeout });
}

export async function send(page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

/* The one message with exactly this text, as { sender, time, own }; waits for it. */
export async function messageOf(page, text) {
  const exact = new RegExp(`^${text.replace(/[^\w\s]/g, '\\$&')}$`);
  const message = page.locator('.message').filter({ has: page.locator('.text', { hasText: exact }) });
  await message.waitFor();
  return {
    sender: await message.locator('.name').textContent(),
    time: await message.locator('time').textContent(),
    own: await message.evaluate((item) => item.classList.contains('own')),
  };
}
