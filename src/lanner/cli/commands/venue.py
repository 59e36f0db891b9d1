"""``lanner venue``: serve a simulated venue over real sockets, and order faults from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from lanner.cli.numbers import WholeOrNone

if TYPE_CHECKING:
    from lanner.simulator.config import ServeConfig

app = App(name="venue", help="Serve a simulated venue over real sockets, and order faults from it.")

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]


@app.command
def serve(
    *,
    config: Annotated[Path | None, Parameter(help="YAML file; options on the command line win.")] = None,
    dialect: Annotated[
        list[str] | None,
        Parameter(
            help="hyperliquid, binance-spot or binance-usdm; repeat it; all if not given.", negative=""
        ),
    ] = None,
    port: Annotated[
        WholeOrNone, Parameter(help="Port of the first dialect, the others follow; 0: free ports.")
    ] = None,
    address: Annotated[str | None, Parameter(help="Address to listen on; default 127.0.0.1.")] = None,
    control_port: Annotated[WholeOrNone, Parameter(help="Port of the control endpoint.")] = None,
    feed: Annotated[
        str | None,
        Parameter(help="synthetic, none, recorded:FILE or catalog:INSTRUMENT[@1m|@trades]."),
    ] = None,
    seed: Annotated[WholeOrNone, Parameter(help="The same seed makes the same market and keys.")] = None,
    speed: Annotated[float | None, Parameter(help="How fast the market moves against the clock.")] = None,
    rate: Annotated[
        float | None, Parameter(help="Actions of the synthetic market a second and dialect; default 100.")
    ] = None,
    vol: Annotated[float | None, Parameter(help="Annualised volatility of the synthetic market.")] = None,
    account: Annotated[
        list[str] | None,
        Parameter(help="Open a further funded account of this name; repeat it.", negative=""),
    ] = None,
    option: Annotated[
        list[str] | None,
        Parameter(help="DIALECT.NAME=VALUE: an option of a dialect; repeat it.", negative=""),
    ] = None,
    fault: Annotated[
        list[str] | None, Parameter(help="NAME:key=value,…: a fault from the start; repeat it.", negative="")
    ] = None,
    fault_log: Annotated[Path | None, Parameter(help="File to write every fault to, as JSON lines.")] = None,
    fault_replay: Annotated[Path | None, Parameter(help="Repeat the faults of such a file.")] = None,
    tls: Annotated[
        str | None, Parameter(help="self-signed: TLS with a certificate made for this run.")
    ] = None,
    tls_cert: Annotated[Path | None, Parameter(help="Certificate (PEM) for TLS.")] = None,
    tls_key: Annotated[Path | None, Parameter(help="Its key (PEM).")] = None,
    json: Annotated[
        bool, Parameter(name="--json", negative="", help="Print one JSON line when ready.")
    ] = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print nothing but the addresses.")] = False,
) -> None:
    """Serve a toy venue that speaks real venues' protocols; Ctrl-C ends it. Its keys open nothing else."""
    from lanner.simulator.config import make_config, read_config

    data: dict[str, Any] = read_config(config) if config else {}
    given: dict[str, Any] = {
        "dialects": dialect,
        "port": port,
        "address": address,
        "control_port": control_port,
        "feed": feed,
        "seed": seed,
        "speed": speed,
        "rate": rate,
        "vol": vol,
        "fault_log": fault_log and str(fault_log),
        "fault_replay": fault_replay and str(fault_replay),
        "tls": tls,
        "tls_cert": tls_cert and str(tls_cert),
        "tls_key": tls_key and str(tls_key),
    }
    data |= {name: value for name, value in given.items() if value is not None}
    data["faults"] = [*data.get("faults", []), *(fault or [])]
    data["accounts"] = [*data.get("accounts", []), *({"name": name} for name in account or [])]
    _add_options(data, option or [])
    _serve(make_config(data), json=json, quiet=quiet)


def _add_options(data: dict[str, Any], texts: list[str]) -> None:
    from lanner.core.errors import ConfigError

    options: dict[str, dict[str, str]] = {name: dict(held) for name, held in data.get("options", {}).items()}
    for text in texts:
        where, equals, value = text.partition("=")
        dialect, dot, name = where.partition(".")
        if not (equals and dot):
            raise ConfigError("an option of a dialect is wrong", expected="DIALECT.NAME=VALUE", found=text)
        options.setdefault(dialect, {})[name] = value
    data["options"] = options


def _serve(config: ServeConfig, *, json: bool, quiet: bool) -> None:
    import asyncio
    import signal
    from functools import partial

    from lanner.cli.output import note, print_json
    from lanner.net.loop import run, settle_memory
    from lanner.simulator.server import VenueServer

    async def main() -> None:
        venue = VenueServer(config, note=partial(note, quiet=quiet))
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sign, over.set)
        try:
            ready = await venue.start()
            if json:
                print_json(ready)
            else:
                _print_ready(ready, quiet=quiet)
            _flush()
            settle_memory()
            await over.wait()
        finally:
            await venue.stop()

    run(main())


def _flush() -> None:
    import sys

    sys.stdout.flush()


def _print_ready(ready: dict[str, Any], *, quiet: bool) -> None:
    for name, where in ready["dialects"].items():
        print(f"{name:14} {where['http']}   {where['ws']}")
    print(f"{'control':14} {ready['control']}")
    if "ca_file" in ready:
        print(f"{'trust':14} {ready['ca_file']}")
    if quiet:
        return
    print("\nTest accounts; the keys come from the seed and open nothing but this venue:")
    for one in ready["accounts"]:
        print(f"  {one['dialect']} · {one['account']}")
        for name in ("api_key", "api_secret", "wallet_address", "wallet_private_key"):
            if name in one:
                print(f"    {name:20} {one[name]}")
    print("\nAll keys: --json. Ctrl-C ends the venue.")


@app.command
def faults(
    url: Annotated[str, Parameter(help="The venue's control endpoint.")],
    fault: Annotated[list[str] | None, Parameter(help="NAME:key=value,…", negative="")] = None,
    /,
    *,
    clear: Annotated[bool, Parameter(negative="", help="Take all faults back first.")] = False,
    log: Annotated[bool, Parameter(negative="", help="Show what faults did so far.")] = False,
    json: AsJson = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print nothing when faults were ordered.")] = False,
) -> None:
    """Order faults from a running venue, take them back, or show what they did."""
    from lanner.cli.output import print_json
    from lanner.simulator.faults import parse_fault

    orders = [parse_fault(text) for text in fault or []]
    if clear:
        _ask(url, "DELETE", "/faults")
    for name, params in orders:
        _ask(url, "POST", "/faults", {"name": name, **params})
    found = _ask(url, "GET", "/log" if log else "/faults")
    if json:
        print_json(found)
    elif log:
        for line in found["lines"]:
            drawn = " ".join(f"{key}={value}" for key, value in line["params"].items())
            print(
                f"{line['t_ns'] / 1e9:10.3f}s  {line['fault']:18} {line['dialect']} {line['target']} {drawn}"
            )
    elif not quiet:
        _print_faults(found)


def _print_faults(found: dict[str, Any]) -> None:
    from lanner.cli.output import table

    if found["active"]:
        rows = [
            [
                str(one["number"]),
                one["name"],
                " ".join(f"{key}={value}" for key, value in one["params"].items()),
                str(one["acts"]),
            ]
            for one in found["active"]
        ]
        print(table(["no.", "fault", "parameters", "acts"], rows, right="03"))
    else:
        print("No faults on order. There are:")
        print(
            table(["fault", "what it does"], [[name, one["summary"]] for name, one in found["known"].items()])
        )


def _ask(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the control endpoint; a refusal or silence raises ``LannerError``."""
    import json
    import urllib.error
    import urllib.request

    from lanner.core.errors import ConfigError, LannerError

    if not url.startswith(("http://", "https://")):
        raise ConfigError(
            "not the address of a control endpoint", expected="http://127.0.0.1:PORT", found=url
        )
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url.rstrip("/") + path, data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        said = json.loads(error.read() or b"{}")
        raise ConfigError(
            said.get("message", f"the venue answered {error.code}"),
            expected=said.get("expected"),
            found=said.get("found"),
        ) from None
    except OSError as error:
        raise LannerError(
            "the venue's control endpoint does not answer",
            found=error,
            fix="Start one with `lanner venue serve`; it prints the address.",
        ) from None
