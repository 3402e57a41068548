"""Train, measure and describe the embedded models: ``python -m ditta_ros.demo.train``."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import sys
import tempfile
from pathlib import Path

import torch

from ditta_ros.demo.train import cards, measure, parallel, pool, segmenter, tracker
from ditta_ros.demo.train.progress import Progress

WEIGHTS = Path(__file__).parent.parent / 'weights'
CLIPS = 1200
STAGES = ('pool', 'segmenter', 'tracker', 'measure')


def main() -> int:
    """Run the stages asked for; all of them by default."""
    args = _parser().parse_args()
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    segmenter_folder, tracker_folder = args.out / 'tiny_segformer', args.out / 'tiny_sam2'
    tracker_folder.mkdir(parents=True, exist_ok=True)
    config = tracker_folder / 'model.yaml'
    if not config.exists():
        shutil.copyfile(WEIGHTS / 'tiny_sam2' / 'model.yaml', config)
    work = args.work or Path(tempfile.mkdtemp(prefix='ditta_train_'))
    try:
        if 'pool' in args.stages:
            progress = Progress('pool')
            clips = max(8, round(CLIPS * args.scale))
            pool.render(work, clips, args.processes, lambda done: progress(done, clips, ''))
        if 'segmenter' in args.stages:
            plan = segmenter.SegmenterPlan(seed=args.seed)
            plan = dataclasses.replace(plan, steps=_scaled(plan.steps, args.scale))
            parallel.run(segmenter.train, args.processes, device, plan, work, segmenter_folder,
                         Progress('segmenter'))
            parallel.run(segmenter.rate_pool, args.processes, device, segmenter_folder, work,
                         Progress('reliability of the pool'))
        if 'tracker' in args.stages:
            _train_tracker(args, device, tracker_folder, work)
        if 'measure' in args.stages:
            torch.set_num_threads(args.processes)
            _measure(segmenter_folder, tracker_folder, args.processes)
    finally:
        if args.work is None:
            shutil.rmtree(work)
    return 0


def _measure(segmenter_folder: Path, tracker_folder: Path, processes: int) -> None:
    cards.write_segmenter_card(segmenter_folder, measure.measure_segmenter(
        segmenter_folder, Progress('measure segmenter')))
    cards.write_tracker_card(tracker_folder, measure.measure_tracker(
        segmenter_folder, tracker_folder, processes, Progress('measure tracker')))


def _train_tracker(args: argparse.Namespace, device: str, folder: Path, work: Path) -> None:
    weights, start = folder / 'model.safetensors', None
    for number, full in enumerate(tracker.PLANS, 1):
        plan = dataclasses.replace(
            full, seed=args.seed + full.seed,
            stages=tuple(dataclasses.replace(stage, steps=_scaled(stage.steps, args.scale))
                         for stage in full.stages))
        parallel.run(tracker.train, args.processes, device, plan, folder / 'model.yaml', start,
                     work, weights, Progress(f'tracker, run {number} of {len(tracker.PLANS)}'))
        start = weights


def _scaled(steps: int, scale: float) -> int:
    return max(1, round(steps * scale))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='python -m ditta_ros.demo.train', description=__doc__)
    parser.add_argument('--stages', nargs='+', choices=STAGES, default=STAGES,
                        help='what to run, in this order (default: all)')
    parser.add_argument('--out', type=Path, default=WEIGHTS, help='where the models go')
    parser.add_argument('--work', type=Path, help='keep the pool here (default: a temporary one)')
    parser.add_argument('--scale', type=float, default=1.0,
                        help='factor on clips and steps: 0.01 to try, more than 1 on a GPU')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--processes', type=int, default=os.cpu_count() or 1)
    parser.add_argument('--device', choices=('cpu', 'cuda'), help='default: the GPU if there is')
    return parser


if __name__ == '__main__':
    sys.exit(main())
