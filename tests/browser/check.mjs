// Opens an HTML report in headless Chromium and does what people do with it. Prints what is wrong, a line each, and
// nothing where nothing is.
//
//     node check.mjs CHROMIUM REPORT.html EXPECTED.json
//
// EXPECTED has the counts of the report: {"all", "open", "unknown", "name", "rule"}, `name` being one that somebody chose.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.argv[5] ? pathToFileURL(process.argv[5]) : import.meta.url);
const { default: puppeteer } = await import(pathToFileURL(require.resolve('puppeteer-core')));
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [chromium, report, expectedFile] = process.argv.slice(2);
const address = pathToFileURL(report).href;
const expected = JSON.parse(readFileSync(expectedFile, 'utf8'));

const problems = [];
const check = (holds, what) => { if (!holds) problems.push(what); };
const same = (found, wanted, what) =>
  check(JSON.stringify(found) === JSON.stringify(wanted), `${what}: ${JSON.stringify(found)}, expected ${JSON.stringify(wanted)}`);

const browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });

async function open({ width = 1280, scheme = 'light', hash = '', scripts = true } = {}) {
  const page = await browser.newPage();
  page.on('console', (message) => problems.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    check(url.startsWith(address) || url.startsWith('data:'), `request to ${url.slice(0, 200)}`);
  });
  await page.setJavaScriptEnabled(scripts);
  await page.setOfflineMode(true);
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.goto(address + hash);
  return page;
}

const count = (page) => page.$eval('#count', (element) => element.textContent);
const verdicts = (page) => page.$$eval('#list summary .badge:first-of-type', (all) => [...new Set(all.map((one) => one.textContent))].sort());
const settled = (page) => page.evaluate(() => new Promise((done) => setTimeout(done, 300)));

async function accessible(name, page) {
  await page.$$eval('#list details', (all) => { for (const one of all.slice(0, 3)) one.open = true; });
  await settled(page);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  for (const violation of violations) problems.push(`${name}: ${violation.id}: ${violation.help}: ${violation.nodes[0].html.slice(0, 200)}`);
}

async function looks() {
  for (const [scheme, width] of [['light', 1280], ['dark', 1280], ['light', 360], ['dark', 360]]) {
    const page = await open({ scheme, width });
    same(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${width} fits`);
    await accessible(`${scheme} ${width}`, page);
    await page.close();
  }
}

async function filters() {
  const page = await open();
  same(await count(page), `${expected.open} of ${expected.all} findings`, 'what is open');
  same(await page.$$eval('#list > li', (all) => all.length), Math.min(50, expected.open), 'a page of findings');
  await page.select('select[name=verdict]', 'unknown');
  same(await count(page), `${expected.unknown} of ${expected.all} findings`, 'what is unknown');
  same(await verdicts(page), ['unknown'], 'verdicts');
  await page.select('select[name=verdict]', 'all');
  same(await count(page), `${expected.all} of ${expected.all} findings`, 'everything');
  await page.type('input[name=q]', expected.name.slice(0, 30).toUpperCase());
  await settled(page);
  check(!(await count(page)).startsWith('0 '), 'a name is found');
  const found = await page.$$eval('#list .resource', (all) => all.map((one) => one.textContent));
  check(found.some((text) => text.includes(expected.name)), `the name is shown as it is: ${found[0]}`);
  const kept = page.url();
  check(kept.includes('verdict=all') && kept.includes('q='), `the view is in the address: ${kept}`);
  const before = await count(page);
  const again = await open({ hash: new URL(kept).hash });
  same(await count(again), before, 'a view that was kept');
  await again.close();
  await page.click('button[type=reset]');
  await settled(page);
  same(await count(page), `${expected.open} of ${expected.all} findings`, 'reset');
  await page.$eval(`a[href="#rule=${expected.rule}"]`, (link) => link.click());
  await settled(page);
  same(await page.$$eval('#list .rule', (all) => [...new Set(all.map((one) => one.textContent))]), [expected.rule], 'a rule is followed');
  same(await page.evaluate(() => [typeof globalThis.pwned, document.images.length]), ['undefined', 0], 'names are text');
  await page.close();
}

async function pages() {
  const page = await open({ hash: '#verdict=all' });
  const shown = () => page.$$eval('#list .resource, #list .rule', (all) => all.map((one) => one.textContent).join());
  const first = await shown();
  await page.click('#next');
  check(await shown() !== first, 'the next page is another');
  check(page.url().includes('page=2'), 'the page is in the address');
  same(await page.evaluate(() => document.activeElement.id), 'findings', 'the focus follows');
  await page.click('#previous');
  same(await shown(), first, 'and back');
  await page.close();
}

async function keyboard() {
  const page = await open();
  await page.keyboard.press('Tab');
  same(await page.evaluate(() => document.activeElement.textContent), 'Skip to the findings', 'the first stop');
  await page.keyboard.press('Enter');
  await page.focus('#list summary');
  await page.keyboard.press('Enter');
  await settled(page);
  const terms = await page.$$eval('#list details[open] dt', (all) => all.map((one) => one.textContent));
  for (const term of ['Rule', 'What was found', 'Why it matters', 'How to fix it', 'Documentation']) {
    check(terms.includes(term), `${term} is missing in ${terms}`);
  }
  await page.close();
}

async function paper() {
  const page = await open();
  const opened = () => page.$$eval('#list details', (all) => all.every((one) => one.open && one.querySelector('dl')));
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  same(await opened(), true, 'everything is open on paper');
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  same(await opened(), false, 'and closed afterwards');
  await page.emulateMediaType('print');
  same(await page.$eval('#filter', (form) => getComputedStyle(form).display), 'none', 'no form on paper');
  check((await page.pdf({ format: 'A4' })).length > 10_000, 'it can be printed');
  await page.close();
}

async function withoutScripts() {
  const page = await open({ scripts: false });
  const html = await page.content();
  same((html.match(/<noscript>[\s\S]*?<\/noscript>/)?.[0].match(/<tr>/g) ?? []).length, expected.open + 1, 'rows without scripts');
  check(html.includes('id="filter" role="search" aria-label="Filter the findings" hidden'), 'no form without scripts');
  await page.close();
}

for (const part of [looks, filters, pages, keyboard, paper, withoutScripts]) {
  try {
    await part();
  } catch (error) {
    problems.push(`${part.name}: ${error.stack}`);
  }
}
await browser.close();
for (const problem of problems) console.log(problem);
