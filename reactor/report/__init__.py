"""Reports: what a replay or a comparison found, as one page of HTML that needs no network.

Needs the extra `report`: charts are drawn by Vega as static SVG, the page is a Jinja template.
"""

from reactor.report.page import comparison_page, replay_page

__all__ = ["comparison_page", "replay_page"]
