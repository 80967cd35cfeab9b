"""The report: one HTML page and one Markdown page that show results to people.

    results → DataSet › Series › Checkpoint (grouping.py, results.py)
            → tables (table.py, tables_*.py) and pictures (picture.py, picture_*.py)
            → report.html and report.md (page.py, markdown.py), written whole or not at all (write.py)

Tables and pictures know nothing of HTML; pages know nothing of results. All prose for readers who have
not read the paper is in words.py and report.html.j2.
"""

from memoir.bench.report.write import Report, markdown, write_report

__all__ = ["Report", "markdown", "write_report"]
