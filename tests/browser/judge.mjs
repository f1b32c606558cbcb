// Judges self-contained HTML pages in a real, headless Chromium.
//
//   node judge.mjs [--patience SECONDS] [--pictures DIR] PAGE.html...
//
// Prints a line for each thing that is wrong, as `PAGE: CHECK: REASON`, then a summary, and exits
// with 1 if anything is wrong. Without that, prints a table of what it saw, and exits with 0.
//
// --patience  how long Chromium may take for any one check; 60 seconds if not given
// --pictures  where to put pictures of each page, and its PDF, for people to look at: they bear the
//             name of the page's file, or of its folder if it is an index.html
//
// The variable CHROMIUM names the browser; /usr/bin/chromium if not given.

import {
  mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { eyes as makeEyes } from './in-page.mjs';

// Packages aren't installed among the sources.
const require = createRequire(new URL('../../target/browser/', import.meta.url));
const { chromium } = require('playwright-core');
const { source: axeSource } = require('axe-core');

const DESKTOP = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 360, height: 800 }, isMobile: true, hasTouch: true };
const A4 = { width: 794, height: 1123 };
// What a browser leaves free around a page that doesn't say.
const PAPER_MARGIN = '1cm';
const PICTURE_HEIGHT = 4000;
// A check that finds the same in ten thousand rows says it so often.
const REASONS_PER_CHECK = 20;

function nameOf(path) {
  const name = basename(path, '.html');
  return name === 'index' ? basename(dirname(resolve(path))) : name;
}

class Judgement {
  constructor(path) {
    this.path = path;
    this.name = nameOf(path);
    this.url = pathToFileURL(path).href;
    this.wrongs = new Map();
    this.seen = { page: this.name };
  }

  wrong(check, reason) {
    const reasons = this.wrongs.get(check) ?? new Set();
    this.wrongs.set(check, reasons.add(reason));
  }

  lines() {
    return [...this.wrongs].flatMap(([check, reasons]) => {
      const told = [...reasons].slice(0, REASONS_PER_CHECK);
      const more = reasons.size - told.length;
      return [...told, ...(more > 0 ? [`and ${more} more`] : [])]
        .map((reason) => `${this.path}: ${check}: ${reason}`);
    });
  }
}

// What follows are the words that Chromium was started with, or the insides of a package.
const firstLine = (error) => error.message.split('\n')[0];

class TookTooLong extends Error {}

async function within(seconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    const tell = () => reject(new TookTooLong(`no answer within ${seconds} s`));
    timer = setTimeout(tell, seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function launch(patience) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // CI runs as root, and as root Chromium doesn't start with its sandbox. The pages are ours.
    chromiumSandbox: process.getuid() !== 0,
    // Neither what a page asks for nor what Chromium wants for itself is to leave this machine.
    args: ['--host-resolver-rules=MAP * ~NOTFOUND', '--disable-quic'],
    timeout: patience * 1000,
    // The judge ends at once on signals, and Chromium is killed then.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
}

// Notes all that a page does which it shouldn't.
function watch(context, judgement, isOutside) {
  context.on('request', (request) => {
    if (isOutside(request.url())) judgement.wrong('requests', `asks for ${request.url()}`);
  });
  context.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return;
    // Chromium tells of what a policy forbids on the console.
    const check = message.text().includes('Content Security Policy') ? 'policy' : 'console';
    judgement.wrong(check, `${message.type()}: ${message.text()}`);
  });
  context.on('weberror', (error) => judgement.wrong('error', error.error().message));
}

// Opens the page by itself, and returns it with eyes in it.
async function open(browser, judgement, options) {
  const context = await browser.newContext(options);
  const isOutside = (url) => url.split('#')[0] !== judgement.url && !/^data:/i.test(url);
  // Without its policy, which our own scripts need, a page may do what it would not do.
  if (!options.bypassCSP) watch(context, judgement, isOutside);
  // An empty answer: one that failed would be told of a second time, on the console.
  // By the time it is given, the page may be gone.
  const answer = (route) => route.fulfill({ status: 200, body: '' }).catch(() => {});
  await context.route(({ href }) => isOutside(href), answer);
  const page = await context.newPage();
  // Sockets aren't among the requests above.
  const wire = await context.newCDPSession(page);
  wire.on('Network.webSocketCreated', ({ url }) => judgement.wrong('requests', `asks for ${url}`));
  await wire.send('Network.enable');
  const started = performance.now();
  await page.goto(judgement.url, { timeout: 0 });
  const loadTime = performance.now() - started;
  const eyes = await page.evaluateHandle(makeEyes);
  const look = (what, argument) => eyes.evaluate((all, [name, given]) => all[name](given),
    [what, argument]);
  return { page, look, loadTime, close: () => context.close() };
}

async function picture(page, pictures, name) {
  if (pictures === undefined) return;
  const { width } = page.viewportSize();
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  const clip = { x: 0, y: 0, width, height: Math.min(height, PICTURE_HEIGHT) };
  await page.screenshot({ path: join(pictures, name), fullPage: true, clip, timeout: 0 });
}

async function judgeWidth(look, judgement) {
  const { room, needed, through } = await look('sideways');
  if (through === undefined) return;
  judgement.wrong('sideways', `${needed} px wide in a window of ${room} px, through ${through}`);
}

// The page can be read without scripts, and loses nothing then.
async function judgeText(browser, judgement) {
  const texts = [];
  for (const javaScriptEnabled of [false, true]) {
    const { look, close } = await open(browser, judgement, { ...DESKTOP, javaScriptEnabled });
    await look('unfold');
    texts.push(await look('text'));
    await close();
  }
  const [without, withScripts] = texts;
  if (without.heading === '') judgement.wrong('text', 'without scripts, no h1 is to be read');
  for (const section of without.unreadable) {
    judgement.wrong('text', `without scripts, there is nothing to be read in ${section}`);
  }
  if (without.length !== withScripts.length) {
    judgement.wrong('text', `${without.length} characters without scripts, ${withScripts.length} `
      + 'with them');
  }
  judgement.seen.characters = without.length;
}

async function judgeOnDesktop(browser, judgement, { pictures }) {
  const { page, look, loadTime, close } = await open(browser, judgement, DESKTOP);
  judgement.seen['loaded in ms'] = Math.round(loadTime);
  judgement.seen.elements = await look('elements');

  await picture(page, pictures, `${judgement.name}-light.png`);
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture(page, pictures, `${judgement.name}-dark.png`);
  await page.emulateMedia({ colorScheme: 'light' });

  for (const reason of await look('reachesOut')) judgement.wrong('requests', reason);
  for (const reason of await look('brokenLinks')) judgement.wrong('links', reason);
  for (const id of await look('repeatedIds')) judgement.wrong('ids', `#${id} stands twice`);
  if (!await look('hasWayIn')) {
    judgement.wrong('landmarks', 'no main part, or neither a link to skip to it nor a nav');
  }
  await look('unfold');
  await judgeWidth(look, judgement);
  await close();
}

async function judgeOnPhone(browser, judgement, { pictures }) {
  const { page, look, close } = await open(browser, judgement, PHONE);
  await picture(page, pictures, `${judgement.name}-phone.png`);
  const { width } = PHONE.viewport;
  const { room } = await look('sideways');
  if (room !== width) {
    judgement.wrong('sideways', `laid out for ${room} px on a phone of ${width} px`);
  }
  await look('unfold');
  await judgeWidth(look, judgement);
  await close();
}

// Parts that are laid out only when they come near the window move the end of the page away.
async function judgeScrolling(browser, judgement) {
  const { page, look, close } = await open(browser, judgement, DESKTOP);
  let isThere = false;
  for (let tries = 0; tries < 20 && !isThere; tries += 1) {
    await look('scrollToTheEnd');
    await page.waitForTimeout(100);
    isThere = await look('isAtTheEnd');
  }
  if (!isThere) judgement.wrong('scroll', 'its last part never comes into the window');
  await close();
}

async function judgeOnPaper(browser, judgement, { pictures }) {
  const { page, look, close } = await open(browser, judgement, DESKTOP);
  const margin = { top: PAPER_MARGIN, right: PAPER_MARGIN, bottom: PAPER_MARGIN,
    left: PAPER_MARGIN };
  const pdf = await page.pdf({ format: 'A4', margin, printBackground: true, timeout: 0 });
  const sheets = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g) ?? [];
  if (sheets.length === 0) judgement.wrong('print', 'no page is found in its PDF');
  judgement.seen.sheets = sheets.length;

  await page.emulateMedia({ media: 'print' });
  await page.setViewportSize(A4);
  if (pictures !== undefined) {
    writeFileSync(join(pictures, `${judgement.name}.pdf`), pdf);
    const path = join(pictures, `${judgement.name}-print.png`);
    await page.screenshot({ path, timeout: 0 });
  }
  await look('unfold');
  const width = Math.floor(A4.width - await look('paperMargins', PAPER_MARGIN));
  await page.setViewportSize({ ...A4, width });
  const { room, needed, through } = await look('sideways');
  if (through !== undefined) {
    judgement.wrong('print', `${needed} px wide on a sheet with room for ${room} px, through `
      + through);
  }
  for (const reason of await look('cutOff')) judgement.wrong('print', reason);

  const onPaper = await look('text');
  await page.emulateMedia({ media: 'screen' });
  const onScreen = await look('text');
  if (onPaper.heading === '' && onScreen.heading !== '') {
    judgement.wrong('print', 'its h1 is not on paper');
  }
  for (const section of onPaper.unreadable) {
    if (!onScreen.unreadable.includes(section)) {
      judgement.wrong('print', `on paper, there is nothing to be read in ${section}`);
    }
  }
  await close();
}

async function judgeAccess(browser, judgement, colorScheme) {
  const options = { ...DESKTOP, colorScheme, bypassCSP: true };
  const { page, look, close } = await open(browser, judgement, options);
  await look('unfold');
  judgement.seen['of them to axe'] = await look('thinOut');
  await page.evaluate(axeSource);
  const { violations, incomplete } = await page.evaluate(() =>
    globalThis.axe.run(document, { resultTypes: ['violations', 'incomplete'] }));
  for (const { id, impact, help, nodes } of violations) {
    for (const { target } of nodes) {
      judgement.wrong('axe', `${colorScheme}: ${id} (${impact}) at ${target.join(' ')}: ${help}`);
    }
  }
  judgement.seen[`axe unsure, ${colorScheme}`] = incomplete.map(({ id }) => id).join();
  await close();
}

async function judgeKeyboard(browser, judgement) {
  const { page, look, close } = await open(browser, judgement, { ...DESKTOP, bypassCSP: true });
  await look('unfold');
  await look('thinOut');
  const expected = await look('beforeKeys');
  const reached = new Set();
  let last = -1;
  for (;;) {
    await page.keyboard.press('Tab');
    const focus = await look('focus');
    if (focus === null || reached.has(focus.place)) break;
    const name = await look('nameAt', focus.place);
    if (focus.place < last) {
      judgement.wrong('keyboard', `Tab comes to ${name} after ${await look('nameAt', last)}`);
    }
    if (!focus.isMarked) judgement.wrong('keyboard', `no mark that ${name} has the focus`);
    if (!focus.isInView) judgement.wrong('keyboard', `${name} has the focus out of the window`);
    reached.add(focus.place);
    last = focus.place;
  }
  for (const place of expected.filter((one) => !reached.has(one))) {
    judgement.wrong('keyboard', `Tab never comes to ${await look('nameAt', place)}`);
  }
  judgement.seen['tab stops'] = reached.size;
  await close();
}

const CHECKS = [
  ['text', judgeText],
  ['desktop', judgeOnDesktop],
  ['phone', judgeOnPhone],
  ['scroll', judgeScrolling],
  ['print', judgeOnPaper],
  ['axe', (browser, judgement) => judgeAccess(browser, judgement, 'light')],
  ['axe', (browser, judgement) => judgeAccess(browser, judgement, 'dark')],
  ['keyboard', judgeKeyboard],
];

// Each page has a browser of its own: what one of them breaks isn't laid to the next.
async function judge(path, options) {
  const judgement = new Judgement(path);
  const started = performance.now();
  const browser = await launch(options.patience);
  for (const [name, check] of CHECKS) {
    try {
      await within(options.patience, check(browser, judgement, options));
    } catch (error) {
      if (error instanceof TookTooLong) {
        judgement.wrong('time', `${name}: ${error.message}; the rest was not looked at`);
        break;
      }
      judgement.wrong(name, firstLine(error));
    }
  }
  try {
    await within(options.patience, browser.close());
  } catch (error) {
    judgement.wrong('time', `Chromium doesn't end: ${firstLine(error)}`);
  }
  judgement.seen['judged in s'] = Math.round((performance.now() - started) / 1000);
  return judgement;
}

function commandLine() {
  const { values, positionals: pages } = parseArgs({
    options: { patience: { type: 'string', default: '60' }, pictures: { type: 'string' } },
    allowPositionals: true,
  });
  const patience = Number(values.patience);
  if (!(patience > 0)) throw new Error('--patience is a number of seconds');
  if (pages.length === 0) throw new Error('no page is named');
  for (const page of pages) statSync(page);
  const { pictures } = values;
  if (pictures !== undefined) {
    const names = new Set(pages.map(nameOf));
    if (names.size < pages.length) throw new Error('two pages of one name, and pictures of both');
    mkdirSync(pictures, { recursive: true });
  }
  return { pages, patience, pictures };
}

async function main() {
  const { pages, ...options } = commandLine();
  // All that is waited for has its own limit. This is for what nobody thought of.
  const deadline = pages.length * (CHECKS.length + 1) * options.patience;
  setTimeout(() => {
    console.log(`not done after ${deadline} s: given up`);
    process.exit(1);
  }, deadline * 1000);

  const judgements = [];
  let wrongs = 0;
  for (const path of pages) {
    const judgement = await judge(path, options);
    const lines = judgement.lines();
    for (const line of lines) console.log(line);
    wrongs += lines.length;
    judgements.push(judgement);
  }
  if (wrongs === 0) console.table(judgements.map(({ seen }) => seen));
  const bad = judgements.filter((judgement) => judgement.wrongs.size > 0).length;
  console.log(`${pages.length} pages judged, ${bad} of them with something wrong`);
  return wrongs > 0 ? 1 : 0;
}

// A Chromium that is killed leaves files behind, wherever it was told to put them; and one that
// isn't killed yet makes more of them.
process.env.TMPDIR = mkdtempSync(join(tmpdir(), 'judge-'));
process.on('exit', () => {
  try {
    for (let tries = 0; killAllOfOurs() > 0 && tries < 100; tries += 1) sleep(20);
    rmSync(process.env.TMPDIR, { recursive: true, maxRetries: 5 });
  } catch (error) {
    console.error(`judge: ${error.message}`);
  }
});

// Kills what has our TMPDIR in its environment, and returns how many those were.
function killAllOfOurs() {
  const others = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== `${process.pid}`);
  return others.filter((name) => {
    try {
      const environment = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0');
      if (!environment.includes(`TMPDIR=${process.env.TMPDIR}`)) return false;
      process.kill(Number(name), 'SIGKILL');
      return true;
    } catch {
      // It has ended, or isn't ours to see.
      return false;
    }
  }).length;
}

// Nothing else can be awaited on the way out.
function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

for (const [signal, number] of [['SIGHUP', 1], ['SIGINT', 2], ['SIGTERM', 15]]) {
  process.on(signal, () => process.exit(128 + number));
}
main().then((code) => process.exit(code), (error) => {
  console.error(`judge: ${firstLine(error)}`);
  process.exit(1);
});
