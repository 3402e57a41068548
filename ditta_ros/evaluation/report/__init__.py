"""The report of an evaluation, made of its outcomes: ``write_report`` and ``write_bag``.

==================  ===============================================================
results.py          the outcomes in order, each with its partner of the plain model
measures.py         what is reported of an outcome: names, units, meaning
rows.py             means over sources and seeds, and paired changes
summary.py          the same in plain words
provenance.py       models, settings, versions, machine
content.py          all of these: what the report says
drawing.py          how plots look and get into the page
plots.py            over the warm-up, over swept settings, by reliability
plots_of_time.py    mIoU over time, latency
strips.py           frames, truth and labels to look at
page.py             report.html, by report.html.j2
json_report.py      report.json
markdown_report.py  report.md
write.py            all three files
bag.py              images, masks and overlays as an MCAP bag
==================  ===============================================================
"""

from ditta_ros.evaluation.report.bag import write_bag
from ditta_ros.evaluation.report.write import Written, write_report

__all__ = ['Written', 'write_bag', 'write_report']
