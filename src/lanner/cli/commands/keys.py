"""``lanner keys``: store, list, remove and check the keys of venues; secrets are never shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from lanner.cli.venue_options import VENUE, Network

if TYPE_CHECKING:
    from lanner.model.accounts import KeyRights
    from lanner.venues.keys import Keys
    from lanner.venues.keystore import KeyStore, Secret

app = App(name="keys", help="Store, list, remove and check the keys of venues.")

Product = Annotated[str, Parameter(help="hyperliquid, binance-spot or binance-usdm.")]
Name = Annotated[str, Parameter(help="Name of the key, where there are several.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]
Quiet = Annotated[bool, Parameter(negative="", help="Print only what was asked for.")]


@app.command
def add(
    product: Product,
    /,
    *,
    name: Name = "default",
    api_key: Annotated[str, Parameter(help="The public part; a wallet's follows from its secret.")] = "",
    account: Annotated[
        str, Parameter(help="Hyperliquid: address of the account that an agent wallet trades for.")
    ] = "",
    vault: Annotated[
        str, Parameter(help="Hyperliquid: address of a vault or sub-account to trade for.")
    ] = "",
    kind: Annotated[
        str, Parameter(help="hmac, ed25519, rsa or wallet; default: what the secret looks like.")
    ] = "",
    secret_file: Annotated[
        Path | None, Parameter(help="File that holds the secret (PEM for RSA and Ed25519).")
    ] = None,
    store: Annotated[str, Parameter(help="file (encrypted, with a passphrase) or keyring.")] = "file",
    allow_main_wallet: Annotated[
        bool,
        Parameter(negative="", help="Hyperliquid: take a main wallet's key, which can withdraw."),
    ] = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Store a key: the secret is asked for without echo, or read from standard input or a file.

    The file $LANNER_HOME/keys.age is encrypted with a passphrase (LANNER_KEYS_PASSPHRASE or …_FILE, else asked for);
    `--store keyring` uses the system's keyring. An older key of the same name is replaced.
    """
    from lanner.cli.output import note, print_json
    from lanner.core.errors import ConfigError
    from lanner.venues.keys import Keys
    from lanner.venues.keystore import KeyEntry
    from lanner.venues.registry import product_spec

    spec = product_spec(product)
    if kind and kind not in spec.key_kinds:
        raise ConfigError(f"{product} takes no {kind} keys", expected=", ".join(spec.key_kinds), found=kind)
    if not api_key and spec.key_kinds != ("wallet",):
        api_key = _public_part()
    secret = _secret(secret_file)
    keys = Keys(
        kind or _only(spec.key_kinds), secret, api_key=api_key, account=account, vault=vault, name=name
    )
    if keys.kind not in spec.key_kinds:
        raise ConfigError(
            f"the secret is a {keys.kind} key", expected=f"{product}: {', '.join(spec.key_kinds)}"
        )
    if keys.kind == "wallet" and not keys.is_agent and not allow_main_wallet:
        raise _main_wallet(keys)
    entry = KeyEntry(spec.product, name, keys.kind, keys.api_key, keys.account, keys.vault, store)
    home = _store()
    home.add(entry, secret)
    if json:
        print_json(
            {"product": entry.product, "name": entry.name, "kind": entry.kind, "api_key": entry.api_key}
        )
    else:
        note(
            f"stored {entry.product} {entry.name} ({entry.kind} {entry.api_key}) in the {entry.store}",
            quiet=quiet,
        )
        note(f"Ask the venue what it may do: lanner keys check {entry.product}", quiet=quiet)


@app.command(name="list")
def list_keys(*, json: AsJson = False, quiet: Quiet = False) -> None:
    """List the stored keys and those of the environment: public parts only."""
    from lanner.cli.output import note, print_json, table

    rows = _known()
    if json:
        print_json({"keys": rows})
    elif quiet:
        print("\n".join(f"{row['product']} {row['name']}" for row in rows))
    elif not rows:
        note("No keys. Store one: lanner keys add PRODUCT")
    else:
        head = ["product", "name", "kind", "public part", "account", "vault", "where"]
        fields = ("product", "name", "kind", "api_key", "account", "vault", "store")
        print(table(head, [[row[field] for field in fields] for row in rows]))


@app.command
def remove(
    product: Product, /, *, name: Name = "default", json: AsJson = False, quiet: Quiet = False
) -> None:
    """Forget a stored key and its secret."""
    from lanner.cli.output import note, print_json
    from lanner.core.errors import NotFoundError

    if not _store().remove(product, name):
        raise NotFoundError(f"no stored key {product} {name}", fix="See what is stored: lanner keys list")
    if json:
        print_json({"removed": {"product": product, "name": name}})
    else:
        note(f"removed {product} {name}", quiet=quiet)


@app.command
def check(
    product: Product,
    /,
    *,
    name: Name = "default",
    network: Network = VENUE,
    allow_main_wallet: Annotated[
        bool, Parameter(negative="", help="Hyperliquid: accept a main wallet's key, which can withdraw.")
    ] = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Ask the venue what a key may do; one that may withdraw is refused with exit code 6."""
    from lanner.cli.output import note, print_json
    from lanner.cli.venue_options import run
    from lanner.core.errors import RiskRefusedError
    from lanner.venues.registry import product_spec

    spec = product_spec(product)
    keys = _load(spec.product, name)
    rights = run(_rights(spec.product, keys, network.where()))
    if json:
        words = {right: None if rights is None else getattr(rights, right) for right in _RIGHTS}
        print_json({"product": spec.product, "name": name, "api_key": keys.api_key, "rights": words})
    else:
        note(_told(spec.product, name, rights), quiet=quiet)
    if rights is None or not rights.withdraw:
        return
    if keys.kind != "wallet":
        raise RiskRefusedError(
            f"{spec.product} {name} may withdraw",
            expected="a key that can trade and nothing more",
            fix="Take the right away on the venue's page of API keys, or make another key.",
        )
    if not allow_main_wallet:
        raise _main_wallet(keys)


@app.command
def agent(
    product: Annotated[str, Parameter(help="hyperliquid: no other venue has agents.")] = "hyperliquid",
    /,
    *,
    name: Name = "default",
    agent_name: Annotated[
        str, Parameter(help="What the venue calls the agent; an older one of that name loses its rights.")
    ] = "lanner",
    vault: Annotated[str, Parameter(help="Address of a vault or sub-account to trade for.")] = "",
    secret_file: Annotated[
        Path | None, Parameter(help="File that holds the main wallet's key; it is not stored.")
    ] = None,
    store: Annotated[str, Parameter(help="file (encrypted, with a passphrase) or keyring.")] = "file",
    network: Network = VENUE,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make an agent wallet, let the main wallet approve it, and store the agent's key.

    The main wallet's key is asked for once, signs the approval and is forgotten. The agent can trade for the account
    and can never withdraw.
    """
    from secrets import token_hex

    from lanner.cli.output import note, print_json
    from lanner.cli.venue_options import run
    from lanner.core.errors import ConfigError
    from lanner.venues.keys import Keys
    from lanner.venues.keystore import KeyEntry, Secret

    if product != "hyperliquid":
        raise ConfigError(f"{product} has no agents", expected="hyperliquid")
    main = Keys("wallet", _secret(secret_file))
    secret = Secret("0x" + token_hex(32))
    keys = Keys("wallet", secret, account=main.api_key, vault=vault, name=name)
    run(_approve(main, keys.api_key, agent_name, network.where()))
    _store().add(KeyEntry(product, name, keys.kind, keys.api_key, keys.account, keys.vault, store), secret)
    if json:
        print_json({"product": product, "name": name, "agent": keys.api_key, "account": keys.account})
    else:
        note(f"{keys.api_key} may trade for {keys.account}; its key is stored in the {store}", quiet=quiet)


async def _approve(main: Keys, address: str, agent_name: str, network: object) -> None:
    from lanner.live.connect import Where, connect
    from lanner.venues.hyperliquid.codec import HyperliquidCodec

    assert isinstance(network, Where)
    async with connect("hyperliquid", network, keys=main) as link:
        assert isinstance(link.codec, HyperliquidCodec)
        await link.ask(link.codec.approve_agent(address, agent_name))


_RIGHTS = ("read", "trade", "withdraw", "ip_bound")


def _told(product: str, name: str, rights: KeyRights | None) -> str:
    if rights is None:
        return f"{product} {name}: the venue does not tell what the key may do"
    words = {True: "yes", False: "no", None: "not told"}
    told = ", ".join(f"{right.replace('_', ' ')}: {words[getattr(rights, right)]}" for right in _RIGHTS)
    return f"{product} {name}: {told}"


async def _rights(product: str, keys: Keys, network: object) -> KeyRights | None:
    from lanner.live.accounts import ask_rights
    from lanner.live.connect import Where, connect

    assert isinstance(network, Where)
    async with connect(product, network, keys=keys) as link:
        return await ask_rights(link)


def _main_wallet(keys: Keys) -> Exception:
    from lanner.core.errors import RiskRefusedError

    return RiskRefusedError(
        f"the key of {keys.api_key} is a main wallet's: it can withdraw everything",
        expected="the key of an agent (API wallet), which can only trade, with --account ADDRESS of its master",
        fix="Make one: lanner keys agent hyperliquid. Or take the risk with --allow-main-wallet.",
    )


def _only(kinds: tuple[str, ...]) -> str:
    """Return the one kind of key that a venue takes; nothing where it takes several."""
    return kinds[0] if len(kinds) == 1 else ""


def _public_part() -> str:
    """Ask for the API key where somebody is at the keyboard."""
    import sys

    if not sys.stdin.isatty():
        return ""
    from lanner.cli.asking import ask

    return ask("API key: ")


def _secret(path: Path | None) -> Secret:
    """Ask for a secret without echo; where nobody is at the keyboard, read it from standard input."""
    import sys

    from lanner.core.errors import ConfigError, NotFoundError
    from lanner.venues.keystore import Secret

    if path is not None:
        if not path.is_file():
            raise NotFoundError(f"no file {path}", fix="Check the path of --secret-file.")
        secret = Secret(path.read_text(encoding="utf-8", errors="replace"))
    elif sys.stdin.isatty():
        from lanner.cli.asking import ask_secret

        secret = Secret(ask_secret("Secret (not shown): "))
    else:
        secret = Secret(sys.stdin.read())
    if not secret:
        raise ConfigError(
            "no secret was given", expected="the secret on standard input, or --secret-file PATH"
        )
    return secret


def _passphrase(new: bool) -> str:
    """Ask for the passphrase of the key file, twice for a new one; nothing where nobody is at the keyboard."""
    import sys

    from lanner.core.errors import ConfigError

    if not sys.stdin.isatty():
        return ""
    from lanner.cli.asking import ask_secret

    first = ask_secret("Passphrase of the key file: ")
    if new and ask_secret("Again: ") != first:
        raise ConfigError("the two passphrases differ", fix="Try again.")
    return first


def _store() -> KeyStore:
    from lanner.venues.keystore import KeyStore

    return KeyStore(ask=_passphrase)


def _load(product: str, name: str) -> Keys:
    """Load a key from wherever it is, asking for the passphrase where it is needed."""
    from lanner.venues.keys import load_keys

    return load_keys(product, name, ask=_passphrase)


def _known() -> list[dict[str, str]]:
    """Return the public facts of all keys; what the environment tells wins over what is stored."""
    import msgspec

    from lanner.core.errors import LannerError
    from lanner.venues.keys import environment_keys
    from lanner.venues.registry import PRODUCTS

    rows: dict[tuple[str, str], dict[str, str]] = {
        (entry.product, entry.name): msgspec.to_builtins(entry) for entry in _store().entries()
    }
    for product in PRODUCTS:
        try:
            keys = environment_keys(product)
        except LannerError as error:
            rows[product, "default"] = _row(product, "?", error.what, "", "")
            continue
        if keys is not None:
            rows[product, "default"] = _row(product, keys.kind, keys.api_key, keys.account, keys.vault)
    return [rows[key] for key in sorted(rows)]


def _row(product: str, kind: str, api_key: str, account: str, vault: str) -> dict[str, str]:
    return {
        "product": product,
        "name": "default",
        "kind": kind,
        "api_key": api_key,
        "account": account,
        "vault": vault,
        "store": "environment",
    }
