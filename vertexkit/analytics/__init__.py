"""Dialogs analysed: what section 5 of the platform's document asks for, in one pass.

report = await analyse_async(bot.v2.conversations(bot_id=1446), zone="Europe/Moscow")
Path("report.html").write_text(render_html(report, "ru"), encoding="utf-8")
"""

from vertexkit.analytics.page import render_html as render_html
from vertexkit.analytics.report import Bin as Bin
from vertexkit.analytics.report import Breakdown as Breakdown
from vertexkit.analytics.report import Completion as Completion
from vertexkit.analytics.report import Durations as Durations
from vertexkit.analytics.report import Question as Question
from vertexkit.analytics.report import Report as Report
from vertexkit.analytics.report import Share as Share
from vertexkit.analytics.tally import ENDINGS as ENDINGS
from vertexkit.analytics.tally import OutcomeStatus as OutcomeStatus
from vertexkit.analytics.tally import Tally as Tally
from vertexkit.analytics.tally import analyse as analyse
from vertexkit.analytics.tally import analyse_async as analyse_async

__all__ = [
    "ENDINGS",
    "Bin",
    "Breakdown",
    "Completion",
    "Durations",
    "OutcomeStatus",
    "Question",
    "Report",
    "Share",
    "Tally",
    "analyse",
    "analyse_async",
    "render_html",
]
