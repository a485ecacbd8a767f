"""Swagger UI at /docs: under a policy, and without another site."""

from playwright.sync_api import expect


def test_the_api_is_described_without_another_site(visit, studio):
    visitor = visit()
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.page.goto(f"{studio.url}/docs")
    operation = visitor.page.locator("#operations-cats-get_cats, [id^=operations-cats]").first
    expect(operation).to_be_visible()
    operation.click()
    expect(operation).to_contain_text("Parameters")
    foreign = [url for url in asked if not url.startswith((studio.url, "data:", "blob:"))]
    assert foreign == []
