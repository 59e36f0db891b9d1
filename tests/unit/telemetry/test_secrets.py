"""Secrets are found where the settings say, and shown nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lanner.core.errors import ConfigError
from lanner.live.alerting import secrets_for_children, told_settings
from lanner.live.config import SessionConfig
from lanner.live.overrides import redacted, redacted_text
from lanner.telemetry import AlertCategory, AlertManager, AlertsConfig, Redactor, SecretText, SessionLog
from lanner.telemetry.alerts import AlertLevel
from lanner.telemetry.log import read_log
from lanner.telemetry.secrets import REDACTED
from tests.unit.telemetry.servers import Hook

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
CHANNELS: dict[str, Any] = {
    "telegram": {"bot_token": TOKEN, "chat_id": 1},
    "ops": {
        "type": "webhook",
        "url": f"https://hooks.example.org/in/{TOKEN}?k={TOKEN}",
        "headers": {"X-Auth": f"Bearer {TOKEN}", "X-Other": "env:OTHER_AUTH"},
    },
    "mail": {
        "type": "email",
        "host": "mail.example.org",
        "sender": "a@b.c",
        "to": ["d@e.f"],
        "user": "me",
        "password": TOKEN,
    },
    "other": {"type": "apprise", "url": "env:OTHER_URL"},
}


def test_a_secret_is_told_by_a_variable_its_file_or_a_path(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("from the file\n")
    assert SecretText("env:X").reveal({"X": "it"}) == "it"
    assert SecretText("env:X").reveal({"X_FILE": str(path)}) == "from the file"
    assert SecretText(f"file:{path}").reveal() == "from the file"
    assert SecretText("plain: it").reveal() == "plain: it"


@pytest.mark.parametrize(
    ("told", "word"),
    [("env:NOT_THERE", "NOT_THERE"), ("file:/not/there", "/not/there"), (REDACTED, "not kept")],
)
def test_a_secret_that_cannot_be_found_says_where_it_was_looked_for(told: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        SecretText(told).reveal({})


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = SecretText(TOKEN)
    assert TOKEN not in f"{secret} {secret!r} {[secret]}"
    config = AlertsConfig.model_validate({"channels": CHANNELS})
    assert TOKEN not in repr(config) + str(config) + config.model_dump_json()


def test_settings_of_a_session_are_kept_without_secrets_and_read_back() -> None:
    told = {"strategy": "x", "instruments": ["BTC-USDT@binance"], "alerts": {"channels": CHANNELS}}
    config = SessionConfig.model_validate(told)
    plain = config.to_plain()
    shown = json.dumps(plain) + json.dumps(redacted(plain))
    assert TOKEN not in shown
    assert "env:OTHER_URL" in shown
    again = SessionConfig.model_validate(plain)
    assert again.to_plain() == plain
    with pytest.raises(ConfigError, match="not kept"):
        again.alerts.channels["telegram"].secrets()["bot_token"].reveal()


def test_a_watchdog_gets_the_secrets_of_the_settings_by_its_environment() -> None:
    config = AlertsConfig.model_validate({"channels": CHANNELS})
    variables = secrets_for_children(config)
    assert set(variables) == {
        "LANNER_ALERTS__CHANNELS__TELEGRAM__BOT_TOKEN",
        "LANNER_ALERTS__CHANNELS__OPS__URL",
        "LANNER_ALERTS__CHANNELS__OPS__HEADERS",
        "LANNER_ALERTS__CHANNELS__MAIL__PASSWORD",
    }
    kept = config.model_dump(mode="json", exclude_none=True)
    assert told_settings(kept, variables) == config


def test_a_wrong_secret_in_the_settings_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        told_settings({"channels": {"ops": {"type": "webhook", "url": [TOKEN]}}}, {})
    assert "env:NAME" in caught.value.message()
    assert TOKEN not in caught.value.message() + json.dumps(caught.value.as_dict())
    with pytest.raises(ConfigError) as caught:
        told_settings({"channels": {"ops": {"type": "webhook", "url": "x", "bot_token": TOKEN}}}, {})
    assert TOKEN not in caught.value.message() + json.dumps(caught.value.as_dict())


def test_texts_are_cleaned_of_known_secrets_in_every_spelling() -> None:
    clean = Redactor([f"https://me:{TOKEN}@hooks.example.org/services/T01/{TOKEN}?key=0123456789abcdef"])
    for text in (
        TOKEN,
        f"POST /services/T01/{TOKEN} failed",
        f"https://api.telegram.org/bot{TOKEN}/sendMessage",
        "123456789%3AAAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
        "with key 0123456789abcdef",
    ):
        assert "AAHdq" not in clean(text)
        assert "0123456789abcdef" not in clean(text)
    assert clean("the host hooks.example.org is away") == "the host hooks.example.org is away"
    assert TOKEN not in repr(clean)


@pytest.mark.parametrize(
    "text",
    [
        "api_secret=abcdef",
        '{"token": "abcdef"}',
        "Authorization: Bearer abcdef1234",
        "https://user:abcdef@host/x",
        "password = 'abcdef'",
    ],
)
def test_texts_are_cleaned_of_what_looks_like_a_secret(text: str) -> None:
    assert "abcdef" not in Redactor()(text)


def test_ordinary_words_stay() -> None:
    for text in (
        "the token is gone",
        "authorization: failed",
        "signature: wrong length",
        "order a1-o23: px 3",
    ):
        assert Redactor()(text) == text


def test_nothing_that_leaves_shows_a_channels_secret(hook: Hook, tmp_path: Path) -> None:
    told = {
        "channels": {
            "console": {"enabled": False},
            "ops": {"type": "webhook", "url": f"{hook.url}/{TOKEN}", "min_level": "info"},
        }
    }
    redactor = Redactor()
    log = SessionLog(tmp_path / "session.log", redactor=redactor)
    alerts = AlertManager(
        AlertsConfig.model_validate(told),
        folder=tmp_path,
        redactor=redactor,
        on_loss=lambda alert, why: log.write(AlertLevel.WARNING, "lost", alert.title, why=why),
    )
    hook.usual = 404
    alerts.warning(AlertCategory.SYSTEM_ERROR, f"it says {TOKEN}", f"at {hook.url}/{TOKEN}")
    log.write(AlertLevel.INFO, "x", f"{TOKEN}", nested={"deep": [f"a {TOKEN}"]}, thing=Path(f"/{TOKEN}"))
    assert alerts.flush(60)
    hook.usual = 200
    alerts.warning(AlertCategory.SYSTEM_ERROR, "another", f"{TOKEN}")
    assert alerts.close()
    log.close()
    written = "".join(one.read_text() for one in tmp_path.iterdir())
    shown = written + json.dumps(alerts.get_stats()) + repr(alerts.get_recent_alerts())
    assert "AAHdq" not in shown + json.dumps(hook.bodies)
    assert REDACTED in written
    assert sorted(line["event"] for line in read_log(tmp_path / "session.log")) == ["lost", "x"]
    assert [body["title"] for body in hook.bodies] == ["another"]


def test_a_settings_file_is_kept_as_it_is_but_for_its_secrets() -> None:
    text = (
        "strategy: trend.py  # a comment stays\n"
        "ledger: {url: 'postgresql://me:correct-horse@db/lanner'}\n"
        "alerts:\n  channels:\n"
        f"    telegram: {{bot_token: '{TOKEN}', chat_id: 5}}\n"
        f"    ops: {{type: webhook, url: 'https://h/{TOKEN}', headers: {{X-Who: 'Bearer horsebattery'}}}}\n"
        "    other: {type: webhook, url: 'env:OTHER'}\n"
    )
    kept = redacted_text(text)
    assert "AAHdq" not in kept
    assert "horse" not in kept
    assert "# a comment stays" in kept
    assert "env:OTHER" in kept
    assert (
        redacted_text("strategy: trend.py\nparams: {fast: 3}\n") == "strategy: trend.py\nparams: {fast: 3}\n"
    )
    assert redacted_text("a: [") == REDACTED
