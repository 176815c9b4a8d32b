"""Says where a started service can be reached."""

from collections.abc import Mapping

import structlog
from structlog.typing import FilteringBoundLogger

from vertexkit.blocks.registry import Block
from vertexkit.cli import output
from vertexkit.cli.translation import translate
from vertexkit.settings import Settings
from vertexkit.telemetry import logs, redaction

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


def announce(blocks: Mapping[str, Block], settings: Settings, base: str, mode: str) -> None:
    """Print or log the URLs of the blocks. The URL's secret is masked.

    Args:
        blocks: by name.
        settings: of the process.
        base: URL of the service.
        mode: `serving` or `reloading`.
    """
    key = f"?key={redaction.MASK}" if settings.access.url_secrets else ""
    urls = {name: f"{base}/blocks/{name}{key}" for name in blocks}
    ops_port = settings.server.ops_port
    ops = f"{base.rpartition(':')[0]}:{ops_port}" if ops_port else base
    if logs.is_console(settings.logging.format):
        width = max(map(len, urls.values()))
        for name, url in urls.items():
            output.echo(f"  {url:<{width}}  {blocks[name].title}")
        if ops_port:
            output.echo(f"  {ops:<{width}}  {translate('health, metrics and the catalogue')}")
            if settings.server.console != "off":
                output.echo(
                    f"  {f'{ops}/console/':<{width}}  " + translate("the operators' console")
                )
        if public := settings.server.public_url:
            output.echo(
                f"  {translate('In Bot.one, the URL of the external web service of a block is:')}"
            )
            for name in urls:
                output.echo(f"    {public}/blocks/{name}{key}")
        output.echo(f"  {translate('Press Ctrl+C to stop gracefully, twice to stop immediately.')}")
    else:
        log.info(
            "address_bound",
            blocks=list(urls.values()),
            ops=ops,
            workers=settings.server.workers,
            mode=mode,
        )
