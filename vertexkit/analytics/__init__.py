"""Statistics of dialogs, as section 5 of the platform's document describes them.

    report = await analyse_async(bot.v2.conversations(bot_id=1446), zone="Europe/Moscow")
    Path("report.html").write_text(render_html(report, "ru"), encoding="utf-8")

| module | what it is |
|---|---|
| `analysis` | counts dialogs in one pass, with bounded memory |
| `breakdowns`, `dialog_times`, `durations`, `question_statistics`, `scores` | the counters that it uses |
| `dialog_ids` | the names of figures, and the ids of the dialogs behind them |
| `report` | the result: frozen values |
| `page`, `charts`, `data_tables`, `style` | the result as an HTML page |
| `interactive` | the result as a page with interactive charts |
| `terminal` | the result in a terminal |
| `time_series`, `comparison`, `localisation`, `time_zones` | what several of them need |
"""

from vertexkit.analytics.analysis import STATUS_GROUPS as STATUS_GROUPS
from vertexkit.analytics.analysis import Analysis as Analysis
from vertexkit.analytics.analysis import StatusGroup as StatusGroup
from vertexkit.analytics.analysis import analyse as analyse
from vertexkit.analytics.analysis import analyse_async as analyse_async
from vertexkit.analytics.page import render_html as render_html
from vertexkit.analytics.report import BotQuestions as BotQuestions
from vertexkit.analytics.report import Breakdown as Breakdown
from vertexkit.analytics.report import CompletionStatistics as CompletionStatistics
from vertexkit.analytics.report import DurationBin as DurationBin
from vertexkit.analytics.report import DurationStatistics as DurationStatistics
from vertexkit.analytics.report import QuestionStatistics as QuestionStatistics
from vertexkit.analytics.report import Report as Report
from vertexkit.analytics.report import ScoreStatistics as ScoreStatistics
from vertexkit.analytics.report import Selection as Selection
from vertexkit.analytics.report import Share as Share

__all__ = [
    "STATUS_GROUPS",
    "Analysis",
    "BotQuestions",
    "Breakdown",
    "CompletionStatistics",
    "DurationBin",
    "DurationStatistics",
    "QuestionStatistics",
    "Report",
    "ScoreStatistics",
    "Selection",
    "Share",
    "StatusGroup",
    "analyse",
    "analyse_async",
    "render_html",
]
