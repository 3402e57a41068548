from __future__ import annotations

import json
from pathlib import Path

import torch
from rich.console import Console

from ditta_ros.bench.machine import machine, versions
from ditta_ros.bench.report import document, save, table
from ditta_ros.bench.row import Row

CPU = torch.device('cpu')
ROWS = [
    Row('label', 'B0 480x853', 56.789, 50.0, 'ms', 'plain', bar='<= 1.3', spread=(1.1, 1.2)),
    Row('attend', 'grid', 0.5, 700.0, 'MB', 'dense', gain=True, bar='>= 4000'),
    Row('over one', 'embedded', 3.5, 13.0, 'times', 'sam2', bar='<= 4', bar_on='ours'),
    Row('attention 120x216', '', note='not measured: no memory'),
]


def rendered(about: dict) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table(ROWS, about))
    return captured.get()


def cells(text: str, name: str) -> list[str]:
    [line] = [line for line in text.splitlines() if name in line]
    return [cell.strip() for cell in line.strip('│').split('│')]


def test_the_document_says_where_when_and_how() -> None:
    about = json.loads(json.dumps(document(ROWS, 'bench --rows x', machine(CPU), versions())))
    assert set(about) == {'date', 'command', 'machine', 'versions', 'rows'}
    assert about['date'][4] == '-' and about['date'].endswith('+00:00')
    assert {'device', 'cpu', 'cores', 'threads', 'ram_gb', 'system'} == set(about['machine'])
    assert about['machine']['ram_gb'] > 0 and about['machine']['cores'] >= 1
    assert about['versions']['torch'] == torch.__version__.partition('+')[0]
    assert about['versions']['sam2'][0].isdigit()
    first, _, _, last = about['rows']
    assert first['ours'] == 56.789 and first['met'] is True and first['spread'] == [1.1, 1.2]
    assert last['ratio'] is None and last['note'] == 'not measured: no memory'


def test_the_table_shows_every_row() -> None:
    about = document(ROWS, 'bench', machine(CPU), versions())
    text = rendered(about)
    assert f'torch {about["versions"]["torch"]}' in text and about['date'] in text
    assert cells(text, 'label') == [
        'label', 'B0 480x853', 'plain', '56.8 ms', '50 ms', '1.14 (1.1..1.2)', '<= 1.3', 'yes']
    assert cells(text, 'attend')[4:] == ['700 MB', '1400 x less', '>= 4000', 'NO']
    assert cells(text, 'over one')[3:] == [
        '3.5 times', '13 times', '0.269', '<= 4 (ours)', 'yes']
    assert 'not measured: no memory' in text


def test_a_run_is_saved_by_date_and_device(tmp_path: Path) -> None:
    about = document(
        ROWS, 'bench', {**machine(CPU), 'gpu': 'NVIDIA RTX (TM) 1'}, versions())
    as_json, as_text = save(tmp_path, about, ROWS)
    assert as_json.name == f'{about["date"][:10]}_nvidia-rtx-tm-1.json'
    assert json.loads(as_json.read_text()) == json.loads(json.dumps(about))
    assert 'over one' in as_text.read_text()
