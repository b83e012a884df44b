// The HTML report of an audit in Chromium: `tests/browser/run` installs what this needs and says where it is.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { cluster, hostile, large } from "./dump.mjs";

const { BROWSER_MODULES, CHROMIUM, PROGRAM, SCREENSHOT } = process.env;
const { chromium } = createRequire(`${BROWSER_MODULES}/`)("playwright-core");

// How long a person waits without a thought of leaving, in milliseconds, for a machine that does other things as well.
const FIRST_LOOK = 15_000;
const FILTERED = 5_000;

const folder = mkdtempSync(join(tmpdir(), "report-"));
let browser;

before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
});

after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

// The file of a report on a dump.
function report(name, dump) {
  const [from, to] = [join(folder, `${name}.json`), join(folder, `${name}.html`)];
  writeFileSync(from, dump());
  execFileSync(PROGRAM, ["audit", "--from", from, "--format=html", "--output", to, "--fail-on=never"]);
  return pathToFileURL(to).href;
}

// Opens a report in a page of its own; whatever the page complains of or asks for fails the test.
async function open(context, url, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 }, ...options });
  const complaints = [];
  page.on("console", (message) => complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (request.url() !== url) complaints.push(`request: ${request.url()}`);
  });
  context.after(async () => {
    await page.close();
    assert.deepEqual(complaints, []);
  });
  await page.goto(url);
  return page;
}

const names = (page) =>
  page.$$eval("#pools tbody tr:not([hidden]) td:nth-child(2)", (cells) => cells.map((cell) => cell.textContent));

const heading = (page, name) => page.click(`#pools thead button:text-is("${name}")`);

test("the table of pools is sorted by a column, and the other way round", async (context) => {
  const page = await open(context, report("sorted", cluster));
  const first = await names(page);
  assert.equal(first.length, 7);
  await heading(page, "name");
  const byName = await names(page);
  assert.deepEqual(byName, ["10.20.0.0-24", "10.20.1.0-24", "10.40.0.0-25", "10.40.0.0-26", "batch-10.64.0.0-16",
    "fd00-20-30---64", "storage-10.30.0.0-22"]);
  await heading(page, "name");
  assert.deepEqual(await names(page), byName.toReversed());
  await heading(page, "allocated");
  assert.deepEqual((await names(page)).slice(-2), ["storage-10.30.0.0-22", "batch-10.64.0.0-16"], "as numbers");
  await heading(page, "capacity");
  assert.equal((await names(page)).at(-1), "fd00-20-30---64");
});

test("pools and findings are filtered by text and by whether there are any", async (context) => {
  const page = await open(context, report("filtered", cluster));
  await page.fill("#filter", "STORAGE");
  assert.deepEqual(await names(page), ["storage-10.30.0.0-22"]);
  assert.equal(await page.textContent("#pools-shown"), "1 of 7 shown");
  await page.fill("#filter", "IPP502");
  const rules = await page.$$eval("#findings tbody tr:not([hidden]) td:nth-child(2)", (cells) =>
    cells.map((cell) => cell.textContent));
  assert.ok(rules.length > 0 && rules.every((rule) => rule === "IPP502 address-held-twice"), rules.join());
  await page.fill("#filter", "");
  await page.check("#only-findings");
  assert.ok(!(await names(page)).includes("10.40.0.0-25"), "it has none");
  assert.ok((await names(page)).includes("10.40.0.0-26"));
});

test("each address of an open pool is a cell with its owner", async (context) => {
  const page = await open(context, report("cells", cluster));
  await page.click('button:text-is("10.20.1.0-24")');
  assert.equal(await page.locator(".cells b").count(), 240);
  const colors = await page.$$eval(".legend i, .cells b", (all) =>
    Object.fromEntries(all.map((it) => [it.className, getComputedStyle(it).backgroundColor])));
  assert.equal(new Set(Object.values(colors)).size, 5, "free, used, reserved, leaked, in conflict");
  await page.locator(".cells b.l").first().hover();
  const said = await page.textContent(".at");
  assert.match(said, /^10\.20\.1\.\d+: leaked \(shop\/db-old-\d+\)$/);
  await page.locator(".cells b").first().focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.textContent(".at"), "10.20.1.2: reserved");
  await page.click('summary:text-is("As text")');
  await page.locator(".picture li").nth(239).waitFor();
  assert.equal(await page.locator(".picture li").nth(3).textContent(), "10.20.1.4: used (shop/db-3)");
  await page.click('button:text-is("10.20.1.0-24")');
  assert.equal(await page.locator(".picture").count(), 0);
});

test("a large pool is drawn in parts, and an IPv6 pool where it is used", async (context) => {
  const page = await open(context, report("large-pool", cluster));
  await page.click('button:text-is("batch-10.64.0.0-16")');
  assert.match(await page.textContent(".picture"), /one cell is 8 addresses/);
  assert.equal(await page.locator(".cells b").count(), 1126);
  await page.locator(".cells b").first().hover();
  assert.equal(await page.textContent(".at"), "10.64.0.0 to 10.64.0.7: 1 leaked, 2 reserved, 4 used, 1 free");
  await page.locator(".cells b").nth(1).hover();
  assert.equal(await page.textContent(".at"), "10.64.0.8 to 10.64.0.15: 8 used, 0 free");
  await page.click('button:text-is("batch-10.64.0.0-16")');
  await page.click('button:text-is("fd00-20-30---64")');
  assert.equal(await page.locator(".cells b").count(), 60);
  assert.equal(await page.locator(".row > span").nth(1).textContent(), "fd00:20:30::20");
  assert.equal(await page.locator(".gap").textContent(), "18,446,744,073,709,551,200 free addresses");
});

test("foreign text is shown and never run", async (context) => {
  const page = await open(context, report("hostile", hostile));
  await page.click('button:text-is("10.50.0.0-24")');
  await page.click('summary:text-is("As text")');
  const owner = page.locator(".picture li").first();
  await owner.waitFor();
  assert.match(await owner.textContent(), /<script>window\.stolen = true<\/script>/);
  assert.equal(await page.locator("img, td b").count() - (await page.locator(".cells b").count()), 0);
  assert.equal(await page.evaluate(() => window.stolen), undefined);
});

test("the policy of the file keeps any other script from running", async () => {
  const page = await browser.newPage();
  await page.goto(report("policy", hostile));
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.stolen = true";
    document.body.append(script);
  });
  assert.equal(await page.evaluate(() => window.stolen), undefined);
  await page.close();
});

test("light and dark differ, and a narrow page does not scroll sideways", async (context) => {
  const url = report("schemes", cluster);
  const back = async (colorScheme) => {
    const page = await open(context, url, { colorScheme });
    return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  };
  assert.notEqual(await back("light"), await back("dark"));
  const narrow = await open(context, url, { viewport: { width: 390, height: 800 } });
  assert.ok(await narrow.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
});

test("a report without JavaScript has its tables", async (context) => {
  const page = await open(context, report("plain", cluster), { javaScriptEnabled: false });
  assert.equal(await page.locator("#pools tbody tr").count(), 7);
  assert.match(await page.textContent("noscript"), /the pictures of the pools are missing/);
});

test("5,000 pools with a million entries stay usable", async (context) => {
  const url = report("large", large);
  const timed = async (what, limit, action) => {
    const start = performance.now();
    const result = await action();
    const took = Math.round(performance.now() - start);
    context.diagnostic(`${what}: ${took} ms`);
    assert.ok(took < limit, `${what} took ${took} ms, more than ${limit}`);
    return result;
  };
  const page = await timed("first look", FIRST_LOOK, () => open(context, url));
  assert.equal(await page.locator("#pools tbody tr").count(), 5000);
  await timed("filter", FILTERED, () => page.fill("#filter", "10.19.135.0"));
  assert.deepEqual(await names(page), ["10.19.135.0-24"]);
  await timed("open", FILTERED, () => page.click('button:text-is("10.19.135.0-24")'));
  assert.equal(await page.locator(".cells b").count(), 200);
  await page.fill("#filter", "");
  await timed("sort", FILTERED, () => heading(page, "name"));
  assert.equal((await names(page)).length, 5000);
});

test("the screenshot of the README", { skip: !SCREENSHOT }, async (context) => {
  const page = await open(context, report("screenshot", cluster), { viewport: { width: 1240, height: 900 } });
  await page.click('button:text-is("10.20.1.0-24")');
  await page.click('button:text-is("10.40.0.0-26")');
  await page.locator(".cells b.l").nth(3).hover();
  await page.screenshot({ path: SCREENSHOT });
});
