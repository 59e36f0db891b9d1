"""The channels against real servers on loopback, in good and in bad moods."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import threading
import time
from email import message_from_string
from pathlib import Path
from typing import Any

import pytest

from lanner.core.errors import ConfigError
from lanner.telemetry import Alert, AlertCategory, AlertDetails, AlertLevel, AlertManager, AlertsConfig
from lanner.telemetry.channels import (
    ConsoleChannel,
    DeliveryError,
    LogChannel,
    make_channel,
    read_alerts,
)
from lanner.telemetry.channels.channel import Channel
from lanner.telemetry.channels.services import service_url
from lanner.telemetry.secrets import Redactor
from lanner.telemetry.settings import ChannelConfig
from tests.unit.telemetry.servers import Hook, Mailbox, closed_port, hook_server, until

ALERT = Alert(
    "one",
    AlertLevel.CRITICAL,
    AlertCategory.RISK_DAILY_LOSS,
    "Loss <b>today</b>",
    "5 % & more",
    1_767_225_600_500_000_000,
    "RiskEngine",
    AlertDetails(symbol="BTC-USDT.BINANCE", threshold=0.05, actual=0.06),
)
TOKEN = "TIiajkdnlazkcOXrIdevi7FQ"


def channel(**told: Any) -> Channel:
    return make_channel("ops", ChannelConfig.model_validate(told), Path(), Redactor())


def refused(one: Channel) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        one.deliver(ALERT)
    return caught.value


# -- webhook ---------------------------------------------------------------------------------------------------


def test_a_webhook_gets_the_whole_alert_and_the_headers(hook: Hook) -> None:
    channel(
        type="webhook", url=f"{hook.url}/in?key={TOKEN}", headers={"Authorization": f"Bearer {TOKEN}"}
    ).deliver(ALERT)
    [body] = hook.bodies
    assert body == {"text": "[CRITICAL] Loss <b>today</b>: 5 % & more", **ALERT.as_dict()}
    assert body["time"] == "2026-01-01T00:00:00.500Z"
    assert hook.headers[0]["Authorization"] == f"Bearer {TOKEN}"
    assert hook.paths == [f"/in?key={TOKEN}"]


@pytest.mark.parametrize(
    ("status", "lasting"), [(500, False), (503, False), (429, False), (404, True), (302, True)]
)
def test_a_webhook_that_refuses(hook: Hook, status: int, lasting: bool) -> None:
    hook.usual = status
    hook.answer_headers = {"Retry-After": "7", "Location": "http://127.0.0.1:1/elsewhere"}
    error = refused(channel(type="webhook", url=f"{hook.url}/{TOKEN}"))
    assert error.lasting is lasting
    assert error.retry_after_s == 7.0
    assert str(status) in error.reason
    assert TOKEN not in error.reason


def test_a_webhook_that_hangs_is_left_after_its_time(hook: Hook) -> None:
    hook.hangs = threading.Event()
    began = time.perf_counter()
    error = refused(channel(type="webhook", url=hook.url, timeout_s=0.2))
    assert time.perf_counter() - began < 60.0
    assert "within 0.2 s" in error.reason
    hook.hangs.set()


def test_a_webhook_that_is_not_there() -> None:
    error = refused(channel(type="webhook", url=f"http://127.0.0.1:{closed_port()}/{TOKEN}"))
    assert "no connection to http://127.0.0.1" in error.reason
    assert TOKEN not in error.reason


def test_an_address_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        channel(type="webhook", url=f"ftp://x/{TOKEN}")
    assert TOKEN not in caught.value.message()


def test_a_webhook_that_recovers_gets_what_it_missed(hook: Hook) -> None:
    hook.answers = [500, 503]
    alerts = AlertManager(config_for(hook))
    alerts.critical(AlertCategory.SYSTEM_ERROR, "x")
    assert alerts.flush(60)
    assert [body["title"] for body in hook.bodies] == ["x"]
    assert alerts.get_stats()["channels"]["ops"]["retries"] == 2
    assert alerts.close()


def config_for(hook: Hook, **more: Any) -> AlertsConfig:
    off = {"console": {"enabled": False}, "log": {"enabled": False}}
    one = {"type": "webhook", "url": f"{hook.url}/{TOKEN}", "min_level": "info", **more}
    return AlertsConfig.model_validate({"channels": {**off, "ops": one}})


def test_delivery_does_not_wait_for_another_channel_that_hangs(hook: Hook) -> None:
    config = config_for(hook)
    with hook_server() as other:
        other.hangs = threading.Event()
        stuck = ChannelConfig.model_validate({"type": "webhook", "url": other.url, "timeout_s": 30})
        alerts = AlertManager(config.model_copy(update={"channels": {"stuck": stuck, **config.channels}}))
        began = time.perf_counter()
        alerts.emergency(AlertCategory.RISK_KILL_SWITCH, "fire")
        until(lambda: hook.bodies)
        assert time.perf_counter() - began < 25.0  # of the 30 s that the other one hangs
        assert not alerts.close(0.05)


# -- services --------------------------------------------------------------------------------------------------


def test_apprise_urls_of_any_service(hook: Hook) -> None:
    channel(type="apprise", url=f"json://127.0.0.1:{hook.port}/{TOKEN}").deliver(ALERT)
    [body] = hook.bodies
    assert body["title"] == "[CRITICAL] Loss <b>today</b>"
    assert "5 % & more" in body["message"]
    assert "actual: 0.06" in body["message"]
    assert body["type"] == "failure"
    hook.usual = 500
    assert TOKEN not in refused(channel(type="apprise", url=f"json://127.0.0.1:{hook.port}/{TOKEN}")).reason


def test_mail_goes_to_all_with_level_and_figures(mailbox: Mailbox) -> None:
    channel(
        type="email",
        host="127.0.0.1",
        port=mailbox.port,
        security="none",
        user="me@example.org",
        password="p@ss:word/1",
        sender="lanner@example.org",
        to=["a@example.org", "b@example.org"],
    ).deliver(ALERT)
    assert len(mailbox.letters) == 2
    letter = message_from_string(mailbox.letters[0])
    assert letter["Subject"] == "[Lanner CRITICAL] Loss <b>today</b>"
    assert "lanner@example.org" in str(letter["From"])
    parts = [part for part in letter.walk() if part.get_content_type() == "text/html"]
    text = bytes(parts[0].get_payload(decode=True)).decode()
    assert "5 % &amp; more" in text
    assert "#b91c1c" in text
    assert "BTC-USDT.BINANCE" in text
    assert "<b>today" not in text
    login = base64.b64decode(mailbox.logins[0].split()[-1]).decode()
    assert login.endswith("p@ss:word/1")


def test_mail_that_is_refused_says_so_without_the_password(mailbox: Mailbox) -> None:
    mailbox.refuses = "you are not welcome"
    told = {
        "type": "email",
        "host": "127.0.0.1",
        "port": mailbox.port,
        "security": "none",
        "user": "me",
        "password": "correct-horse-battery",
        "sender": "lanner@example.org",
        "to": "a@example.org",
    }
    error = refused(channel(**told))
    assert error.reason
    assert "correct-horse" not in error.reason
    error = refused(channel(**{**told, "port": closed_port()}))
    assert "mail" in error.reason


@pytest.mark.parametrize(
    ("told", "name", "facts"),
    [
        ({"host": "smtp.x.org"}, "NotifyEmail", {"secure_mode": "starttls", "port": 587}),
        ({"host": "smtp.x.org", "security": "ssl"}, "NotifyEmail", {"secure_mode": "ssl", "port": 465}),
        ({"provider": "sendgrid", "api_key": "SG.abc123"}, "NotifySendGrid", {"apikey": "SG.abc123"}),
        ({"provider": "mailgun", "api_key": "key-123456"}, "NotifyMailgun", {"apikey": "key-123456"}),
        ({"provider": "resend", "api_key": "re_12345"}, "NotifyResend", {"apikey": "re_12345"}),
    ],
)
def test_mail_by_servers_and_by_providers(told: dict[str, Any], name: str, facts: dict[str, Any]) -> None:
    import apprise

    told = {"type": "email", "sender": "me@x.org", "to": ["a@b.org", "c@d.org"], "timeout_s": 2, **told}
    channel(**told)
    config = ChannelConfig.model_validate(told)
    url, where = service_url(config, {key: secret.reveal() for key, secret in config.secrets().items()})
    plugin: Any = apprise.Apprise.instantiate(url)
    assert type(plugin).__name__ == name
    assert {key: getattr(plugin, key) for key in facts} == facts
    assert len(plugin.targets) == 2
    assert plugin.socket_read_timeout == 2.0
    assert where == "mail to a@b.org, c@d.org"


@pytest.mark.parametrize(
    ("told", "module", "name", "attribute"),
    [
        (
            {"type": "telegram", "bot_token": f"123456789:{TOKEN}", "chat_id": 4711},
            "apprise.plugins.telegram",
            "NotifyTelegram",
            "notify_url",
        ),
        (
            {"type": "slack", "url": f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{TOKEN}"},
            "apprise.plugins.slack",
            "NotifySlack",
            "webhook_url",
        ),
        (
            {"type": "discord", "url": f"https://discord.com/api/webhooks/4174216298/{TOKEN}"},
            "apprise.plugins.discord",
            "NotifyDiscord",
            "notify_url",
        ),
    ],
)
def test_chat_services_get_title_and_text(
    hook: Hook,
    monkeypatch: pytest.MonkeyPatch,
    told: dict[str, Any],
    module: str,
    name: str,
    attribute: str,
) -> None:
    one = channel(**told)
    plugin = getattr(sys.modules[module], name)
    monkeypatch.setattr(plugin, attribute, f"{hook.url}/bot" if name == "NotifyTelegram" else hook.url)
    if name == "NotifySlack":
        with pytest.raises(DeliveryError):  # its answer would have to be "ok" and nothing else
            one.deliver(ALERT)
    else:
        one.deliver(ALERT)
    sent = json.dumps(json.loads(hook.raw[0])) if hook.raw[0].startswith("{") else hook.raw[0]
    assert "CRITICAL" in sent
    assert "5 %" in sent
    assert TOKEN in hook.paths[0]
    assert TOKEN not in repr(one) + one.where


def test_an_address_that_apprise_does_not_know_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        channel(type="apprise", url=f"nosuch://{TOKEN}")
    assert "apprise" in caught.value.message()
    assert TOKEN not in caught.value.message()


def test_without_the_library_the_message_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['apprise'] = None\n"
        "from pathlib import Path\n"
        "from lanner.telemetry import ChannelConfig, Redactor\n"
        "from lanner.telemetry.channels import make_channel\n"
        "config = ChannelConfig(type='slack', url='https://hooks.slack.com/x')\n"
        "try: make_channel('s', config, Path(), Redactor())\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.startswith("LannerError")
    assert "pip install 'lanner[alerts]'" in out


# -- terminal and file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "tag", "colour"),
    [
        (AlertLevel.DEBUG, "[D]", "90"),
        (AlertLevel.INFO, "[I]", "36"),
        (AlertLevel.WARNING, "[W]", "33"),
        (AlertLevel.CRITICAL, "[!]", "31"),
        (AlertLevel.EMERGENCY, "[!!!]", "35"),
    ],
)
def test_the_terminal_shows_a_tag_in_the_levels_colour(level: AlertLevel, tag: str, colour: str) -> None:
    stream = io.StringIO()
    alert = Alert("x", level, AlertCategory.SYSTEM_ERROR, "Title", "words\x1b[2Jand\nlines", 0)
    ConsoleChannel(stream=stream, colour=True).deliver(alert)
    ConsoleChannel(stream=stream).deliver(alert)
    coloured, plain = stream.getvalue().splitlines()
    assert tag in coloured
    assert f"{colour}m" in coloured
    assert plain == f"{tag} 00:00:00 Title: words [2Jand lines"


def test_the_terminal_shows_of_which_of_several_sessions_an_alert_is() -> None:
    stream = io.StringIO()
    for title in ("Connected", "Session night ended"):
        ConsoleChannel(stream=stream).deliver(
            Alert("x", AlertLevel.INFO, AlertCategory.SYSTEM_ERROR, title, "", 0, "night")
        )
    assert stream.getvalue().splitlines() == [
        "[I] 00:00:00 night: Connected",
        "[I] 00:00:00 Session night ended",
    ]


def test_a_terminal_that_is_gone_is_no_reason_to_try_again() -> None:
    stream = io.StringIO()
    stream.close()
    assert refused(ConsoleChannel(stream=stream)).lasting


def test_the_file_reads_back_and_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "alerts.jsonl"
    log = LogChannel("log", path, max_mb=0.002, keep=2)
    for number in range(60):
        log.deliver(Alert(f"{number}", AlertLevel.INFO, AlertCategory.SYSTEM_ERROR, "é", "x", number))
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "alerts.jsonl",
        "alerts.jsonl.1",
        "alerts.jsonl.2",
    ]
    assert all(one.stat().st_size <= 2000 for one in path.parent.iterdir())
    ids = [int(alert.id) for alert in read_alerts(path)]
    assert ids == list(range(ids[0], 60))
    assert len(ids) > 15
    path.write_text(path.read_text() + '{"torn": ')
    assert [int(alert.id) for alert in read_alerts(path)] == ids


def test_a_full_alert_survives_the_file(tmp_path: Path) -> None:
    LogChannel("log", tmp_path / "a").deliver(ALERT)
    assert list(read_alerts(tmp_path / "a")) == [ALERT]
