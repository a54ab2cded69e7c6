// Two tabs of one browser on the demo: the one watches decisions, the other makes one.
// `node graphiql.cjs URL CHROMIUM [SCREENSHOT]` prints what the first shows in the end.
const { chromium } = require("playwright-core");
const [url, executablePath, screenshot] = process.argv.slice(2);

async function run(page, tab) {
  await page.getByTitle(tab, { exact: true }).click();
  await page.waitForTimeout(1000); // until GraphiQL has read what the tab holds
  await page.locator(".graphiql-execute-button").click();
}

async function shows(page, text) {
  await page.waitForFunction(
    (wanted) => document.querySelector(".result-window")?.innerText.replaceAll("\u00a0", " ").includes(wanted),
    text,
    { timeout: 20000 },
  );
}

async function open(context) {
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && console.error(message.text()));
  await page.goto(`${url}/graphql`);
  await page.locator(".graphiql-container").waitFor();
  return page;
}

(async () => {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  const watching = await open(context);
  await run(watching, "SignIn");
  await shows(watching, "claire@demo.example");
  const acknowledged = new Promise((resolve) => watching.on("websocket", (socket) => socket.on("framereceived", resolve)));
  await run(watching, "WatchDecisions");
  await acknowledged;
  await watching.waitForTimeout(500);
  const deciding = await open(context);
  await run(deciding, "Validate");
  await shows(deciding, "VALIDATED");
  await shows(watching, '"status": "VALIDATED"');
  if (screenshot) await watching.screenshot({ path: screenshot });
  console.log(await watching.locator(".result-window").innerText());
  await browser.close();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
