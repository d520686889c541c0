"""What a shift was like, as figures and charts."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from nicegui import ui

from consumers.web.alerts.shapes import CountShape, SummaryShape
from consumers.web.components.alert_words import seconds_words
from consumers.web.components.markup import Markup, tag
from consumers.web.components.words import Words, still

CHART_PX = 220
BAR_PX = 34  # of a chart's height, for each camera or rule
MOST_BARS = 12
INK = {  # the page's own colours: charts are painted and cannot read the style sheet
    True: {"text": "#9ba7b4", "line": "#262e37", "bar": "#7cb8ff", "false": "#f7a072"},
    False: {"text": "#55616e", "line": "#d9dfe5", "bar": "#0b5cad", "false": "#ad3f12"},
}


def lay_out_summary(summary: SummaryShape, zone: tzinfo, *, is_dark: bool) -> None:
    """Show the summary here."""
    still(figures(summary))
    ink = INK[is_dark]
    with Words("div", "", "charts"):
        if summary.by_hour:
            with Words("section", "", "chart wide"):
                Words("h3", f"Alerts by hour, {summary.by_hour[0].since.astimezone(zone):%Z}")
                _chart(by_hour(summary, zone, ink), CHART_PX, f"Alerts by hour: {_told_hours(summary, zone)}")
        for title, counts in (("By camera", summary.by_camera), ("By rule", summary.by_rule)):
            if counts:
                with Words("section", "", "chart"):
                    Words("h3", title)
                    words = ", ".join(f"{c.name} {c.alerts}, {c.false_alarms} of them false" for c in counts)
                    _chart(by_name(counts, ink), 40 + BAR_PX * min(len(counts), MOST_BARS), f"{title}: {words}")


def figures(summary: SummaryShape) -> Markup:
    """The figures that one asks for first."""
    waited, slow, rate = summary.acknowledge_s_p50, summary.acknowledge_s_p90, summary.false_alarm_rate
    told = (
        ("Alerts", f"{summary.alerts:,}", ""),
        ("Still to do", f"{summary.by_state.get('open', 0) + summary.by_state.get('acknowledged', 0):,}", ""),
        (
            "Until acknowledged",
            seconds_words(waited) if waited is not None else "–",
            f"half of them; nine of ten within {seconds_words(slow)}" if slow is not None else "none was acknowledged",
        ),
        (
            "False alarms",
            f"{rate:.0%}" if rate is not None else "–",
            "of what was closed" if rate is not None else "nothing was closed",
        ),
    )
    cards = (
        tag("div", tag("dt", name), tag("dd", tag("b", number), tag("span", words)), class_="figure")
        for name, number, words in told
    )
    return tag("dl", *cards, class_="figures")


def by_hour(summary: SummaryShape, zone: tzinfo, ink: dict[str, str]) -> dict[str, Any]:
    """The chart of hours."""
    names = [f"{hour.since.astimezone(zone):%H:%M}" for hour in summary.by_hour]
    return {
        **_common(ink),
        "xAxis": {"type": "category", "data": names, **_axis(ink)},
        "yAxis": {"type": "value", "minInterval": 1, **_axis(ink)},
        "series": [_bars("alerts", [hour.alerts for hour in summary.by_hour], ink["bar"])],
    }


def by_name(counts: Sequence[CountShape], ink: dict[str, str]) -> dict[str, Any]:
    """A chart of cameras or rules: what was right, and beside it what was false."""
    shown = list(reversed(counts[:MOST_BARS]))  # the axis counts from below
    return {
        **_common(ink),
        "legend": {"textStyle": {"color": ink["text"]}, "top": 0, "right": 0, "itemHeight": 10},
        "yAxis": {"type": "category", "data": [count.name for count in shown], **_axis(ink)},
        "xAxis": {"type": "value", "minInterval": 1, **_axis(ink)},
        "series": [
            _bars("alerts", [count.alerts - count.false_alarms for count in shown], ink["bar"], stack="all"),
            _bars("false alarms", [count.false_alarms for count in shown], ink["false"], stack="all"),
        ],
    }


def _chart(options: dict[str, Any], height_px: int, words: str) -> None:
    chart = ui.echart(options, renderer="svg").style(f"height:{height_px}px")
    chart.props["role"], chart.props["aria-label"] = "img", words


def _common(ink: dict[str, str]) -> dict[str, Any]:
    return {
        "animation": False,
        "textStyle": {"color": ink["text"], "fontFamily": "Roboto, system-ui, sans-serif"},
        "grid": {"left": 8, "right": 16, "top": 26, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "axis"},
    }


def _axis(ink: dict[str, str]) -> dict[str, Any]:
    return {
        "axisLabel": {"color": ink["text"]},
        "axisLine": {"lineStyle": {"color": ink["line"]}},
        "splitLine": {"lineStyle": {"color": ink["line"]}},
        "axisTick": {"show": False},
    }


def _bars(name: str, numbers: Sequence[int], colour: str, *, stack: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "type": "bar",
        "data": list(numbers),
        "itemStyle": {"color": colour},
        "barMaxWidth": 26,
        **({"stack": stack} if stack else {}),
    }


def _told_hours(summary: SummaryShape, zone: tzinfo) -> str:
    told = [f"{hour.since.astimezone(zone):%H:%M} {hour.alerts}" for hour in summary.by_hour if hour.alerts]
    return ", ".join(told) or "none"
