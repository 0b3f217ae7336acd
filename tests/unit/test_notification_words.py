"""The text of notifications, and that no character of an app's output has a special meaning for a chat service."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest

from norn_tasks.adapters.notifications.posts import chat_post
from norn_tasks.domain.alerting.destination import NotificationFormat, address, format_of
from norn_tasks.domain.alerting.mail_server import mail_server
from norn_tasks.domain.alerting.message import AlertMessage, Level, message
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.settings import load

DOWN = {
    "event": "alert.raised", "kind": "down", "severity": "critical", "app": "blog", "at": "2026-11-30T03:00:04.2+00:00",
    "sentence": "no replica of blog serves: it exited 1: KeyError: 'DATABASE_URL'", "hint": "norn why blog",
}  # fmt: skip
SERVES = {
    **DOWN, "event": "alert.resolved", "resolution": "it serves", "since": DOWN["at"],
    "at": "2026-11-30T04:08:10+01:00",
}  # fmt: skip
FULL = {**DOWN, "app": "", "kind": "disk-full", "sentence": "a disk is nearly full", "hint": "docker system prune"}
FAILED = {**DOWN, "kind": "deploy-failed", "severity": "warning"}
TEST = {"event": "test", "sentence": "ann sent this to test whether notifications arrive"}

DOWN_TEXT = """no replica of blog serves: it exited 1: KeyError: 'DATABASE_URL'
Next: norn why blog
Since 2026-11-30 03:00:04 UTC"""
SERVES_TEXT = """it serves
It was: no replica of blog serves: it exited 1: KeyError: 'DATABASE_URL'
Open from 2026-11-30 03:00:04 to 2026-11-30 03:08:10 UTC (8m6s)"""


@pytest.mark.parametrize(
    ("reports", "title", "text", "level"),
    [
        ([DOWN], "blog: down (open, critical)", DOWN_TEXT, Level.CRITICAL),
        ([SERVES], "blog: down (resolved)", SERVES_TEXT, Level.RESOLVED),
        ([FAILED], "blog: deploy-failed (open, warning)", DOWN_TEXT, Level.WARNING),
        ([FULL], "the server: disk-full (open, critical)", "a disk is nearly full\nNext: docker system prune\nSince"
         " 2026-11-30 03:00:04 UTC", Level.CRITICAL),
        ([TEST], "test of notifications", TEST["sentence"], Level.TEST),
        ([SERVES, DOWN], "2 alerts: 1 open, 1 resolved", f"blog: down (open, critical)\n{DOWN_TEXT}\n\n"
         f"blog: down (resolved)\n{SERVES_TEXT}", Level.CRITICAL),
    ],
)  # fmt: skip
def test_a_person_reads_which_app_what_and_since_when(
    reports: list[dict[str, Any]], title: str, text: str, level: Level
) -> None:
    assert message("prod-1", reports) == AlertMessage(f"[prod-1] {title}", text, level)


def test_a_burst_shows_the_worst_and_counts_the_rest() -> None:
    words = message("prod-1", [SERVES] * 30 + [DOWN])
    assert words.title == "[prod-1] 31 alerts: 1 open, 30 resolved"
    assert (words.text.startswith("blog: down (open, critical)"), words.text.count("resolved")) == (True, 7)
    assert words.text.endswith("and 23 more: norn alerts --all")


def test_an_older_report_without_severity_or_beginning_is_read() -> None:
    old = {key: value for key, value in SERVES.items() if key not in ("severity", "since")}
    assert message("prod-1", [old]).text.endswith("Resolved 2026-11-30 03:08:10 UTC")


@pytest.mark.parametrize(
    ("kind", "sentence", "shown"),
    [
        (NotificationFormat.SLACK, "<!channel> & <https://x|y>", "&lt;!channel&gt; &amp; &lt;https://x|y&gt;"),
        (NotificationFormat.SLACK, "@channel @all a@ally.example", "@\u200bchannel @\u200ball a@ally.example"),
        (NotificationFormat.DISCORD, "@everyone <@1> __x__ [a](b)", r"\@everyone \<\@1\> \_\_x\_\_ \[a\]\(b\)"),
        (NotificationFormat.NTFY, "line\r\nPriority: 5\0", "line Priority: 5"),
    ],
)
def test_an_apps_output_means_nothing_to_a_service(kind: NotificationFormat, sentence: str, shown: str) -> None:
    post = chat_post(kind, message("prod-1", [{**DOWN, "sentence": sentence}]))
    body = post.content.decode()
    read = {
        NotificationFormat.SLACK: lambda: json.loads(body)["attachments"][0]["text"],
        NotificationFormat.DISCORD: lambda: json.loads(body)["embeds"][0]["description"],
        NotificationFormat.NTFY: lambda: body,
    }[kind]()
    assert read.splitlines()[0] == shown


def test_slack_and_discord_are_asked_to_read_no_marks_and_call_nobody() -> None:
    slack, discord = (json.loads(chat_post(kind, message("p", [DOWN])).content) for kind in ("slack", "discord"))
    assert (slack["mrkdwn"], slack["attachments"][0]["mrkdwn_in"], discord["allowed_mentions"]) == (
        False, [], {"parse": []},
    )  # fmt: skip


@pytest.mark.parametrize("kind", [NotificationFormat.SLACK, NotificationFormat.DISCORD, NotificationFormat.NTFY])
def test_the_longest_message_is_within_the_limits_of_the_service(kind: NotificationFormat) -> None:
    long = {**DOWN, "sentence": "<_é" * 5000, "hint": "*" * 5000}
    content = chat_post(kind, message("p" * 900, [long] * 50)).content.decode()
    if kind is NotificationFormat.DISCORD:
        (embed,) = json.loads(content)["embeds"]
        assert (len(embed["title"]) <= 256, len(embed["description"]) <= 4096) == (True, True)
    elif kind is NotificationFormat.NTFY:
        assert len(content.encode()) <= 4096
    else:
        assert len(json.loads(content)["attachments"][0]["text"]) < 40_000


# Addresses


@pytest.mark.parametrize(
    ("url", "wanted", "format"),
    [
        ("https://hooks.example/x", None, "json"),
        ("https://hooks.slack.com/services/T0/B0/x", None, "slack"),
        ("https://hooks.slack.com.example/services", None, "json"),
        ("https://discord.com/api/webhooks/1/x", None, "discord"),
        ("https://discord.com/api/webhooks/1/x/slack", None, "slack"),
        ("https://ntfy.sh/norn", None, "ntfy"),
        ("https://ntfy.sh/norn", NotificationFormat.JSON, "json"),
        ("https://chat.example/hooks/x", NotificationFormat.SLACK, "slack"),
        ("mailto:ops@example.org", None, "mail"),
        ("mailto:ops@example.org", NotificationFormat.MAIL, "mail"),
    ],
)
def test_the_format_follows_from_the_address_unless_it_is_given(
    url: str, wanted: NotificationFormat | None, format: str
) -> None:
    assert format_of(url, wanted, field="format") == format


@pytest.mark.parametrize(
    ("url", "wanted"),
    [("mailto:ops@example.org", NotificationFormat.JSON), ("https://h.example/", NotificationFormat.MAIL)],
)
def test_a_format_that_the_address_cannot_have_is_refused(url: str, wanted: NotificationFormat) -> None:
    with pytest.raises(InvalidRequest, match="does not go to this address"):
        format_of(url, wanted, field="format")


@pytest.mark.parametrize(
    "rest", ["", "ops", "ops@", "a@b,", "a@b?subject=x", "a@b%0aBcc:c@d", "a@b\nBcc: c@d", "<a@b>", "A B <a@b>", "é@b"]
)
def test_an_address_of_mail_is_plain(rest: str) -> None:
    with pytest.raises(InvalidRequest, match="not a mail address"):
        address(f"mailto:{rest}", field="url", private=False)


# Settings


def test_a_mail_servers_url_is_read() -> None:
    server = mail_server("smtp://norn:p%40ss%2Fword@mail.example")
    assert (server.host, server.port, server.tls, server.user) == ("mail.example", 587, False, "norn")
    assert server.password.reveal() == "p@ss/word"
    assert mail_server("smtps://mail.example").port == 465


@pytest.mark.parametrize(
    "url",
    ["mail.example", "https://u:hunter2@mail.example", "smtps://u@mail.example", "smtps://:hunter2@", "smtps://u:hunter2@h:x",
     "smtps://u:hunter2@h/inbox", "smtps://u:hunter2%0a@h", "smtps://u:hunt#er2@h", "smtps://u:hunter%C3%BC@h",
     "smtps://\u00fc:hunter2@h"],
)  # fmt: skip
def test_a_url_that_is_none_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        load({"NORN_SMTP_URL": url})
    said = f"{refused.value.sentence} {refused.value.hint}"
    logged = "".join(traceback.format_exception(refused.value)) + str(refused.value.__context__)
    assert ("NORN_SMTP_URL" in said, "hunt" in said, "hunt" in logged) == (True, False, False)


def test_the_settings_do_not_print_the_password() -> None:
    assert "hunter2" not in repr(load({"NORN_SMTP_URL": "smtps://u:hunter2@mail.example"}))
