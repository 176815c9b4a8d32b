"""A plain HTTP client of methods 1 to 13."""

from typing import Any

import httpx

from vertexkit.testing.platform.app import FakePlatform


class DialogReader:
    """Reads the platform's dialogs with plain HTTP."""

    def __init__(self, platform: FakePlatform) -> None:
        self.platform = platform
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(platform),
            base_url="http://demo.test/api",
            auth=("demo", "demo"),
        )

    async def ask(self, verb: str, path: str, **options: Any) -> Any:
        response = await self.http.request(verb, path, **options)
        assert response.is_success, (response.status_code, response.text)
        return response.json() if response.content else None

    async def page(self, version: int = 2, **query: Any) -> tuple[list[Any], dict[str, Any]]:
        content = await self.ask("GET", f"/v{version}/conversations", params=query)
        meta = content.pop("meta")["pagination"]
        assert list(content) == [str(position) for position in range(len(content))]
        return list(content.values()), meta

    async def all(self, **query: Any) -> list[Any]:
        found, meta = await self.page(**query)
        for number in range(2, meta["total_pages"] + 1):
            found += (await self.page(**query, PageNumber=number))[0]
        assert len(found) == meta["total"]
        return found
