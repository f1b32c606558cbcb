// Shows that the judge finds what is wrong with a page: for each check, pages that are wrong in it
// alone, beside pages that are as they should be. And that it always ends, and Chromium with it.
//
//   node self-test.mjs

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const JUDGE = fileURLToPath(new URL('judge.mjs', import.meta.url));
const OWN_FILES = /\.html$|^pictures$|^chromium$/;
const folder = mkdtempSync(join(tmpdir(), 'judged-'));
let latestJudge;
process.on('exit', () => {
  latestJudge?.kill();
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

const STYLE = `
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --link: #0645ad; }
@media (prefers-color-scheme: dark) { :root { --ink: #ddd; --paper: #111; --link: #9bf; } }
body { color: var(--ink); background: var(--paper); margin: 1rem; }
a { color: var(--link); }
a:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--link); }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; }
.scrolls { overflow-x: auto; }
.wide { width: 1500px; }
@media print { .wide { width: auto; } .scrolls { overflow-x: visible; } }
@page { margin: 15mm; }
`;
const DOT = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==';
const LAST = '<section id="end"><h2>End</h2><p>The last part.</p></section>';

// A page as it should be, but for what is given.
function page({
  lang = 'en',
  viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">',
  style = '',
  script = 'document.documentElement.dataset.scripts = "on";',
  sources = '',
  skip = '<a class="skip" href="#main">To the main part</a>',
  nav = '<nav aria-label="Contents"><a href="#first">First</a> <a href="#end">End</a></nav>',
  heading = '<h1>A report</h1>',
  mainElement = 'main',
  body = '',
  last = LAST,
}) {
  const styles = STYLE + style;
  const policy = `default-src 'none'; style-src ${hash(styles)}; script-src ${hash(script)}; `
    + `img-src data: ${sources}; connect-src ${sources || "'none'"}`;
  return `<!doctype html>
<html${lang && ` lang="${lang}"`}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
${viewport}
<title>A report</title>
<style>${styles}</style>
</head>
<body>
${skip}
<header>${heading}${nav}</header>
<${mainElement} id="main">
<section id="first"><h2>First</h2>
<p>It holds. <img src="${DOT}" alt="A dot"></p>
<details><summary>More</summary><p>It <a href="#first">holds</a> here too.</p></details>
<div class="scrolls" tabindex="0" role="region" aria-label="Entries">
<table class="wide"><tr><th scope="col">Entry</th></tr><tr><td>1</td></tr></table>
</div>
${body}
</section>
${last}
</${mainElement}>
<script>${script}</script>
</body>
</html>
`;
}

const ENTRIES = Array.from({ length: 10_000 }, (_, at) => `<tr id="e${at}">
<th scope="row"><a href="#e${at}">${at}</a></th><td>key-checked</td><td>alice/primary</td>
<td><code>${createHash('sha256').update(`${at}`).digest('hex')}</code></td></tr>`).join('\n');

const GOOD = {
  plain: {},
  'without-scripts-of-its-own': { script: '' },
  'a-nav-and-no-skip-link': { skip: '' },
  'a-skip-link-and-no-nav': { nav: '' },
  'links-and-controls': {
    style: 'label { display: block; } input:focus-visible { outline: 3px solid var(--link); }',
    body: `<p id="é"><a href="#">Start</a> <a href="#top">Top</a> <a href="#é">É</a></p>
<p hidden><a href="#first">Hidden</a></p><div inert><a href="#first">Inert</a></div>
<label><input type="checkbox"> Only what is due</label>
<label><input type="radio" name="by"> By name</label>
<label><input type="radio" name="by" checked> By date</label>
<button disabled>Not now</button>`,
  },
  'laid-out-when-near': {
    style: '.later { content-visibility: auto; contain-intrinsic-height: auto 50px; }',
    body: Array.from({ length: 60 }, (_, at) => `<section class="later"><h3>Part ${at}</h3>
${'<p>It holds. <a href="#first">First</a></p>'.repeat(10)}</section>`).join('\n'),
  },
  'ten-thousand-entries': {
    style: 'code { word-break: break-all; }',
    body: `<table><tr><th scope="col">Entry</th><th scope="col">Kind</th><th scope="col">Key</th>
<th scope="col">Hash</th></tr>\n${ENTRIES}</table>`,
  },
};

// What is wrong with a page, and the check that is to say so.
const BAD = {
  'an image from elsewhere': ['requests', {
    sources: 'http:', body: '<img src="http://127.0.0.1:9/x.png" alt="x">',
  }],
  'an image beside the page': ['requests', {
    sources: 'file:', body: '<img src="x.png" alt="x">',
  }],
  'a request by a script': ['requests', {
    sources: 'http:', script: 'fetch("http://127.0.0.1:9/x").catch(() => {});',
  }],
  'a socket': ['requests', {
    sources: 'ws:', script: 'new WebSocket("ws://127.0.0.1:9/x");', alsoBy: ['console'],
  }],
  'a connection made beforehand': ['requests', {
    body: '<link rel="preconnect" href="http://127.0.0.1:9/">',
  }],
  'an error on the console': ['console', { script: 'console.error("bad");' }],
  'a warning on the console': ['console', { script: 'console.warn("odd");' }],
  'an error in a script': ['error', { script: 'throw new Error("broken");' }],
  'a style that the policy forbids': ['policy', { body: '<p style="margin: 0">Near</p>' }],
  'a script that the policy forbids': ['policy', { body: '<script>var x = 1;</script>' }],
  'text by scripts alone': ['text', {
    script: 'document.querySelector("#end").append("more");',
  }],
  'a section by scripts alone': ['text', {
    last: `<section id="late"></section>${LAST}`,
    script: 'document.querySelector("#late").append("late");',
  }],
  'an empty section': ['text', { last: `<section></section>${LAST}` }],
  'no main heading': ['text', { heading: '', alsoBy: ['axe'] }],
  'a hidden main heading': ['text', {
    heading: '<h1 class="gone">A report</h1>',
    style: '.gone { visibility: hidden; }',
    alsoBy: ['axe'],
  }],
  'no language': ['axe', { lang: '' }],
  'an image without a text': ['axe', { body: `<img src="${DOT}">` }],
  'pale text': ['axe', { style: 'p { color: #888; background: #999; }' }],
  'pale text in the light': ['axe', {
    style: '@media (prefers-color-scheme: light) { p { color: #ccc; } }',
  }],
  'pale text in the dark': ['axe', {
    style: '@media (prefers-color-scheme: dark) { p { color: #333; } }',
  }],
  'pale text in closed details': ['axe', { style: 'details p { color: #888; background: #999; }' }],
  'one pale row of many': ['axe', {
    style: '.odd { color: #888; background: #999; }',
    body: `<ul>${'<li>Even</li>'.repeat(500)}<li class="odd">Odd</li>${'<li>Even</li>'.repeat(500)}
</ul>`,
  }],
  'too wide for a phone': ['sideways', {
    style: '@media screen { h2 { width: 500px; } }',
  }],
  'too wide for a desktop': ['sideways', {
    style: '@media screen and (min-width: 1000px) { h2 { width: 1400px; } }',
  }],
  'too wide when opened': ['sideways', {
    style: '@media screen { details p { width: 1400px; } }',
  }],
  'not made for phones': ['sideways', { viewport: '' }],
  'an id that stands twice': ['ids', { body: '<p id="twice">1</p><p id="twice">2</p>' }],
  'a link to nowhere': ['links', { body: '<p><a href="#nowhere">Nowhere</a></p>' }],
  'links to nowhere, more than are told': ['links', {
    body: Array.from({ length: 30 }, (_, at) => `<p><a href="#no${at}">No ${at}</a></p>`).join(''),
  }],
  'no way in': ['landmarks', { skip: '', nav: '' }],
  'no main part': ['landmarks', { mainElement: 'div', alsoBy: ['axe'] }],
  'focus without a mark': ['keyboard', { style: 'a:focus-visible { outline: none; }' }],
  'focus with a mark that is always there': ['keyboard', {
    style: 'a, a:focus-visible { outline: 3px solid var(--link); }',
  }],
  'focus out of the window': ['keyboard', { style: '.skip:focus { left: -100rem; }' }],
  'a trap for the Tab key': ['keyboard', {
    script: `document.querySelector("nav a").addEventListener("keydown",
      (event) => event.preventDefault());`,
  }],
  'Tab in another order': ['keyboard', {
    body: '<p><a href="#end" tabindex="1">Too early</a></p>', alsoBy: ['axe'],
  }],
  'too wide for paper': ['print', { style: '@media print { h2 { width: 720px; } }' }],
  'too wide between its margins': ['print', {
    style: '@media print { h2 { width: 500px; } } @page { margin: 50mm; }',
  }],
  'no main heading on paper': ['print', { style: '@media print { h1 { display: none; } }' }],
  'not to be read on paper': ['print', { style: '@media print { #end { display: none; } }' }],
  'cut off on paper': ['print', {
    style: '@media print { .scrolls { overflow-x: auto; } .wide { width: 1500px; } }',
  }],
  'an end that no one reaches': ['scroll', {
    style: 'p { min-height: 100vh; }', script: 'addEventListener("scroll", () => scrollTo(0, 0));',
    alsoBy: ['keyboard'],
  }],
};

// The judge and all that it started: their command or environment names the folder, as TMPDIR.
function processesOfTheJudge() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const [command, environment] = ['cmdline', 'environ']
        .map((file) => readFileSync(`/proc/${name}/${file}`, 'utf8'));
      const isOurs = command.includes(folder) || environment.includes(folder);
      return isOurs ? [{ pid: Number(name), command: command.replaceAll('\0', ' ') }] : [];
    } catch {
      // It has ended, or isn't ours to see.
      return [];
    }
  });
}

function start(words, environment = {}) {
  const judge = spawn(process.execPath, [JUDGE, ...words], {
    env: { ...process.env, TMPDIR: folder, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  latestJudge = judge;
  let output = '';
  for (const stream of [judge.stdout, judge.stderr]) {
    stream.on('data', (part) => { output += part; });
  }
  const ended = new Promise((resolve) => {
    judge.on('close', (code) => resolve({ code, lines: output.split('\n') }));
  });
  return { judge, ended };
}

async function end({ ended }) {
  const result = await ended;
  // What was killed may take a moment to be gone.
  for (let tries = 0; processesOfTheJudge().length > 0 && tries < 50; tries += 1) await pause(100);
  assert.deepEqual(processesOfTheJudge(), [], 'the judge left processes behind');
  const left = readdirSync(folder).filter((name) => !OWN_FILES.test(name));
  assert.deepEqual(left, [], 'the judge left files behind');
  return result;
}

function write(name, html) {
  const path = join(folder, `${name.replaceAll(' ', '-')}.html`);
  writeFileSync(path, html);
  return path;
}

async function goodPagesPass() {
  const paths = Object.entries(GOOD).map(([name, given]) => write(name, page(given)));
  const pictures = join(folder, 'pictures');
  const { code, lines } = await end(start(['--pictures', pictures, ...paths]));
  assert.equal(code, 0, lines.join('\n'));
  console.log(lines.join('\n'));

  for (const name of Object.keys(GOOD)) {
    for (const [kind, width] of [['light', 1280], ['dark', 1280], ['phone', 360], ['print', 794]]) {
      const png = readFileSync(join(pictures, `${name}-${kind}.png`));
      assert.equal(png.readUInt32BE(16), width, `${name}-${kind}.png is not ${width} px wide`);
      assert(png.readUInt32BE(20) <= 4000, `${name}-${kind}.png is too high`);
    }
    assert(statSync(join(pictures, `${name}.pdf`)).size > 0);
  }
}

async function badPagesAreFound() {
  const paths = Object.entries(BAD).map(([name, [, given]]) => write(name, page(given)));
  const { code, lines } = await end(start(paths));
  assert.equal(code, 1, 'bad pages pass');
  assert.equal(lines.filter((line) => line.includes(': links: ')).length, 1 + 20 + 1);

  const expected = Object.values(BAD).map(([check, { alsoBy = [] }]) => [check, ...alsoBy].sort());
  const found = paths.map((path) => {
    const told = lines.filter((line) => line.startsWith(`${path}: `));
    return [...new Set(told.map((line) => line.split(': ')[1]))].sort();
  });
  const byName = (all) => Object.fromEntries(Object.keys(BAD).map((name, at) => [name, all[at]]));
  assert.deepEqual(byName(found), byName(expected), lines.join('\n'));
}

async function nothingToJudgeIsNoPass() {
  const path = write('plain', '');
  for (const words of [[], ['nowhere.html'], ['--patience', 'much', path], ['--unknown', path]]) {
    const { code, lines } = await end(start(words));
    assert.equal(code, 1, lines.join('\n'));
  }
}

async function endsWithAPageThatHangs() {
  const path = write('endless', page({ script: 'for (;;);' }));
  const { code, lines } = await end(start(['--patience', '10', path]));
  assert.equal(code, 1);
  assert(lines.some((line) => line.startsWith(`${path}: time: `)), lines.join('\n'));
}

// Waits until Chromium shows a page, and returns the process that leads its group.
async function chromiumOf({ judge }) {
  while (judge.exitCode === null) {
    const processes = processesOfTheJudge();
    if (processes.some(({ command }) => command.includes('--type=renderer'))) {
      return processes.find(({ command }) =>
        command.includes('--remote-debugging-pipe') && !command.includes('--type=')).pid;
    }
    await pause(50);
  }
  return assert.fail('the judge ended before it had begun');
}

async function endsWithAChromiumThatHangs() {
  const running = start(['--patience', '10', write('plain', page({}))]);
  process.kill(-await chromiumOf(running), 'SIGSTOP');
  const { code, lines } = await end(running);
  assert.equal(code, 1);
  assert(lines.some((line) => line.includes(": time: Chromium doesn't end")), lines.join('\n'));
}

async function endsWithAChromiumThatNeverStarts() {
  const chromium = join(folder, 'chromium');
  writeFileSync(chromium, '#!/bin/sh\ntrap "" TERM INT HUP\nwhile :; do sleep 1; done\n',
    { mode: 0o755 });
  const running = start(['--patience', '2', write('plain', page({}))], { CHROMIUM: chromium });
  assert.equal((await end(running)).code, 1);
}

async function endsOnASignal() {
  const running = start([write('plain', page({}))]);
  await chromiumOf(running);
  running.judge.kill('SIGTERM');
  assert.equal((await end(running)).code, 128 + 15);
}

for (const test of [
  goodPagesPass,
  badPagesAreFound,
  nothingToJudgeIsNoPass,
  endsWithAPageThatHangs,
  endsWithAChromiumThatHangs,
  endsWithAChromiumThatNeverStarts,
  endsOnASignal,
]) {
  await test();
  console.log(`${test.name}: as it should be`);
}
