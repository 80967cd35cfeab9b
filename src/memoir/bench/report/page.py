"""The HTML page: one file that asks for no other."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from memoir.bench.report.picture import variable
from memoir.bench.report.results import DataSet
from memoir.bench.report.sections import Section


def html_page(parts: list[Section], data_sets: tuple[DataSet, ...]) -> str:
    """The page; every text that comes from outside is escaped."""
    loader = PackageLoader("memoir.bench.report", ".")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The drawings and the style sheet are made here, and hold no text that is not escaped already.
    environment.filters.update(variable=variable, drawing=Markup)
    style = Markup(loader.get_source(environment, "report.css")[0])
    return environment.get_template("report.html.j2").render(
        parts=parts, style=style, summary=_summary(data_sets)
    )


def _summary(data_sets: tuple[DataSet, ...]) -> dict[str, list[str]]:
    series = [each for data_set in data_sets for each in data_set.series]
    results = [result for each in series for point in each.checkpoints for result in point.results]
    dates = sorted({str(result["date"]) for result in results if result.get("date")})
    return {
        "data sets": [data_set.title for data_set in data_sets],
        "methods": list(dict.fromkeys(each.label for each in series)),
        "models": list(dict.fromkeys(each.model for each in series)),
        "measured": list(dict.fromkeys((dates[0], dates[-1]))) if dates else [],
        "runs": [str(len({str(result["run"]) for result in results}))],
    }
