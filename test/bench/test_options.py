from __future__ import annotations

import pytest
import torch

from ditta_ros.bench.options import OptionError, Options, parser, precision, read


def test_without_options_all_but_the_long_row_in_float32() -> None:
    options = read(parser().parse_args(['--device', 'cpu']))
    assert options == Options()
    assert options.rows == ('attention', 'frozen', 'warm_up', 'tracker', 'node')


def test_every_option_arrives() -> None:
    options = read(parser().parse_args([
        '--rows', 'frozen,soak', '--models', 'b1,,dir', '--sizes', '480x640,1080X1920',
        '--classes', '19', '--device', 'cpu', '--dtype', 'fp32,bf16', '--compile', '--repeats',
        '2', '--budget', '7', '--tracker-config', 'a.yaml', '--tracker-checkpoint', 'a.pt',
        '--soak-frames', '50']))
    assert options == Options(
        ('frozen', 'soak'), ('b1', 'embedded', 'dir'), ((480, 640), (1080, 1920)), 19,
        torch.device('cpu'), ('fp32', 'bf16'), ('off', 'default'), 2, 7.0, 'a.yaml', 'a.pt', 50)
    assert options.pace().rounds == 2 and options.pace().budget_s == 7
    assert options.pace(compiled='default').warm_ups > options.pace().warm_ups


@pytest.mark.parametrize(('given', 'says'), [
    (['--rows', 'frozen,nodes'], '--rows must be of attention.*nodes'),
    (['--rows', ''], '--rows must be of'),
    (['--sizes', '480'], "HEIGHTxWIDTH such as 480x853, got '480'"),
    (['--sizes', '480x-3'], 'HEIGHTxWIDTH'),
    (['--sizes', '16x853'], '32 px'),
    (['--dtype', 'fp8'], '--dtype must be of fp32, bf16, fp16'),
    (['--compile', 'max'], "--compile must be of default, reduce-overhead, got 'max'"),
    (['--tracker-config', 'a.yaml,b.yaml', '--tracker-checkpoint', 'a.pt'], 'fits one --tracker'),
    (['--classes', '1'], '--classes must be 2 to 255, got 1'),
    (['--repeats', '0'], '--repeats must be 1 to 1000, got 0'),
    (['--tracker-checkpoint', 'a.pt'], '--tracker-checkpoint needs --tracker-config'),
])
def test_what_does_not_fit_is_refused(given: list[str], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        read(parser().parse_args(given))


@pytest.mark.skipif(torch.cuda.is_available(), reason='for machines without a GPU')
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(OptionError, match='--device cuda needs a GPU'):
        read(parser().parse_args(['--device', 'cuda']))


@pytest.mark.parametrize(('dtype', 'expected'), [
    ('fp32', torch.float32), ('bf16', torch.bfloat16), ('fp16', torch.float16)])
def test_precision_is_that_of_products(dtype: str, expected: torch.dtype) -> None:
    with precision(dtype, torch.device('cpu')):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected
