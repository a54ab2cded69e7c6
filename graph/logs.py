"""How the program writes what happens: one line per event, for people or as JSON, the libraries' lines included."""

import logging
import sys
from collections.abc import MutableMapping
from datetime import date
from typing import Any

import structlog

# What moves a terminal's cursor, begins a line or turns the direction of writing: nothing of it comes out of a value.
CONTROLS = {code: ascii(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)} | {
    code: ascii(chr(code))[1:-1] for code in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def escaped(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The log line with its control characters written out, so that whatever is logged stays on its line."""
    return {name: value.translate(CONTROLS) if isinstance(value, str) else value for name, value in line.items()}


def configure(log_format: str) -> None:
    """Write every log line to standard error as `console` or `json`; called once, by the command."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _instants,
    ]
    # Tracebacks without the values of variables, which the renderers' own would show: passwords are among them.
    rendered: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [
            escaped,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # The server's own access lines would show the tokens of mailed links: `graph.http.access_log` writes them without.
    logging.getLogger("uvicorn.access").disabled = True
    for noisy in ("tortoise", "aiosqlite", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _instants(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Days and instants as ISO 8601, in both forms of the log."""
    for name, value in line.items():
        if isinstance(value, date):
            line[name] = value.isoformat()
    return line
