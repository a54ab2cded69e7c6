// A page of the server sends more than is taken, as JSON and as a form with a file, and reads why it was refused.
// `node refused.cjs URL CHROMIUM` prints the status and the code of each answer.
const { chromium } = require("playwright-core");
const [url, executablePath] = process.argv.slice(2);

(async () => {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const page = await browser.newPage();
  await page.goto(`${url}/graphql`); // whose policy lets it fetch from the server
  const found = await page.evaluate(async (endpoint) => {
    const told = async (headers, body) => {
      const response = await fetch(endpoint, { method: "POST", headers, body });
      return [response.status, (await response.json()).errors[0].extensions.code];
    };
    const form = new FormData();
    form.append("operations", JSON.stringify({ query: "query ($file: Upload) { __typename }", variables: { file: null } }));
    form.append("map", JSON.stringify({ 0: ["variables.file"] }));
    form.append("operations2", new Blob([new Uint8Array(18 * 1024 * 1024)]), "large.bin");
    return [
      await told({ "content-type": "application/json" }, " ".repeat(18 * 1024 * 1024)),
      await told({ "graphql-require-preflight": "1" }, form),
    ];
  }, `${url}/graphql`);
  console.log(JSON.stringify(found));
  await browser.close();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
