"""axe-core looks for what keeps people from using a page."""

from pathlib import Path

from playwright.async_api import Page

SCRIPT = (Path(__file__).parent / "vendor" / "axe-core-4.14.1.min.js").read_text("utf-8")
RUN = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.map(
  found => `${found.id}: ${found.help}: ${found.nodes.map(node => node.target.join(" ")).join(", ")}`)"""


async def axe(page: Page) -> list[str]:
    """What axe-core objects to, a line for each rule. The page's own policy forbids scripts of others: so by eval."""
    await page.evaluate(SCRIPT)
    found: list[str] = await page.evaluate(RUN)
    return found
