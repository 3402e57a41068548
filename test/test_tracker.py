"""The tracker against sam2's own video predictor, and its promises on a stream.

Weights are random but for the last test: equality and bookkeeping do not need trained ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sam2
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from sam2.sam2_video_predictor import SAM2VideoPredictor
from torch import Tensor

from ditta_ros.cohort import input_image
from ditta_ros.demo.world import NAMES, stream
from ditta_ros.errors import ModelError
from ditta_ros.prompts import Prompt
from ditta_ros.settings import TrackerSettings
from ditta_ros.tracker import EMBEDDED_MODEL, Sam2Tracker, build_sam2

HEIGHT, WIDTH = 192, 256
TINY = EMBEDDED_MODEL / 'model.yaml'
SAM2_CONFIGS = Path(sam2.__file__).parent / 'configs'


def squares(count: int) -> list[Tensor]:
    """Frames uint8 [192, 256, 3]: a red and a blue square cross a textured ground."""
    ground = np.random.default_rng(0).integers(90, 130, (HEIGHT, WIDTH, 3), np.uint8)
    frames = []
    for t in range(count):
        frame = ground.copy()
        frame[40:90, 20 + 4 * t % 180:70 + 4 * t % 180] = 220, 30, 30
        frame[110:150, 200 - 3 * t % 180:240 - 3 * t % 180] = 30, 30, 220
        frames.append(torch.from_numpy(frame))
    return frames


def click(object_id: int, x_px: int, y_px: int) -> Prompt:
    return Prompt(object_id=object_id, t=0, x_px=x_px, y_px=y_px, class_id=0)


def with_score_bias(model: Any, bias: float) -> Any:
    """Make random weights find every object present (bias > 0) or absent (bias < 0)."""
    with torch.no_grad():
        model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(bias)
    return model


def with_marked_time(model: Any) -> Any:
    """Make random weights heed what they remember and how old it is, as trained ones do."""
    with torch.no_grad():
        model.maskmem_tpos_enc *= 50
        model.obj_ptr_tpos_proj.weight *= 5
        for layer in model.memory_attention.layers:
            layer.cross_attn_image.k_proj.weight *= 3
            layer.cross_attn_image.out_proj.weight *= 5
    return model


def with_image_size(config: Path, size: int, folder: Path) -> Path:
    changed = OmegaConf.load(config)
    changed.model.image_size = size
    OmegaConf.save(changed, folder / f'{config.stem}_{size}.yaml')
    return folder / f'{config.stem}_{size}.yaml'


@pytest.fixture
def tiny(tmp_path: Path) -> Any:
    """The embedded model's layout at half its input size."""
    torch.manual_seed(0)
    return with_score_bias(build_sam2(with_image_size(TINY, 96, tmp_path), None, 'cpu'), 10.0)


def started(model: Any, buffer: int = 0, retire: int = 1000) -> Sam2Tracker:
    tracker = Sam2Tracker(model, buffer, retire)
    tracker.start((HEIGHT, WIDTH))
    return tracker


def jaccard(first: Tensor, second: Tensor) -> float:
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 1.0


def predicted(
    config: Path, weights: dict[str, Tensor], frames: list[Tensor], folder: Path,
    prompt_t: int, reverse: bool, point: tuple[int, int] | None = None, mask: Tensor | None = None,
) -> dict[int, Tensor]:
    """Masks by frame of sam2's own predictor, which runs over a folder of files."""
    node = OmegaConf.load(config).model
    node._target_ = f'{SAM2VideoPredictor.__module__}.{SAM2VideoPredictor.__name__}'
    node.fill_hole_area = 0
    predictor = instantiate(node).eval()
    predictor.load_state_dict(weights)
    folder.mkdir()
    for t, frame in enumerate(frames):
        Image.fromarray(frame.numpy()).save(folder / f'{t}.jpg')
    state = predictor.init_state(str(folder))
    # The very pixels that the tracker gets, not what JPEG leaves of them.
    state['images'] = torch.cat([input_image(frame, predictor.image_size) for frame in frames])
    state['cached_features'] = {}
    if point is not None:
        predictor.add_new_points_or_box(state, prompt_t, 1, points=[point], labels=[1])
    else:
        predictor.add_new_mask(state, prompt_t, 1, mask)
    return {
        t: logits[0, 0] > 0 for t, _, logits in predictor.propagate_in_video(
            state, start_frame_idx=prompt_t, reverse=reverse)}


@pytest.mark.parametrize(('model', 'prompt', 'reverse'), [
    ('tiny', 'point', False), ('tiny', 'point', True), ('tiny', 'mask', True),
    ('sam21', 'point', False), ('sam21', 'mask', True)])
def test_masks_are_those_of_sam2s_own_predictor(
    model: str, prompt: str, reverse: bool, tmp_path: Path,
) -> None:
    # SAM 2.1 tiny: three masks per prompt, 7 memories.
    sam21 = with_image_size(SAM2_CONFIGS / 'sam2.1' / 'sam2.1_hiera_t.yaml', 128, tmp_path)
    config = TINY if model == 'tiny' else sam21
    torch.manual_seed(3)
    network = with_marked_time(with_score_bias(build_sam2(config, None, 'cpu'), 10.0))
    # 16 frames at least: in shorter videos the predictor scales its pointers' ages otherwise.
    frames = squares(18)
    prompt_t = len(frames) - 1 if reverse else 0
    point = (45, 65)
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[40:90, 30:80] = True
    given = {'point': point} if prompt == 'point' else {'mask': mask}
    expected = predicted(
        config, network.state_dict(), frames, tmp_path / 'frames', prompt_t, reverse, **given)

    tracker = started(network, buffer=len(frames))
    masks = {}
    for t, frame in enumerate(frames):
        tracked = tracker.track(frame)
        if t > 0 and not reverse:
            masks[t] = tracked[1]
        if t == prompt_t:
            here, before = (
                tracker.prompt([click(1, *point)]) if prompt == 'point'
                else tracker.start_from_masks({1: mask}))
            masks[t] = here[1]
            masks |= {t - 1 - age: frame_masks[1] for age, frame_masks in enumerate(before)}

    assert sorted(masks) == sorted(expected) == list(range(len(frames)))
    shares = [float(item.float().mean()) for item in expected.values()]
    assert 0.01 < np.median(shares) < 0.99, 'masks that are empty or full would compare nothing'
    # Not bit-equal, as the predictor keeps its memories in bfloat16; a wrong age of a memory or a
    # wrong direction gives less than 0.9995 with these weights.
    assert min(jaccard(masks[t], expected[t]) for t in masks) >= 0.9995


def test_objects_of_one_batch_do_not_influence_one_another(tiny: Any) -> None:
    points = [(45, 65), (220, 130), (128, 20)]
    frames = squares(5)
    together = started(tiny, buffer=2)
    alone = [started(tiny, buffer=2) for _ in points]
    for t, frame in enumerate(frames):
        masks = together.track(frame)
        for number, tracker in enumerate(alone):
            single = tracker.track(frame)
            assert t < 3 or jaccard(single[number], masks[number]) > 0.999
        if t == 2:
            here, before = together.prompt(
                [click(number, *point) for number, point in enumerate(points)])
            for number, point in enumerate(points):
                single, single_before = alone[number].prompt([click(number, *point)])
                assert jaccard(single[number], here[number]) > 0.999
                for one, all_objects in zip(single_before, before, strict=True):
                    assert jaccard(one[number], all_objects[number]) > 0.999


def test_a_late_object_leaves_the_others_as_they_were(tiny: Any) -> None:
    frames = squares(6)
    calm, disturbed = started(tiny, buffer=3), started(tiny, buffer=3)
    for t, frame in enumerate(frames):
        masks, expected = disturbed.track(frame), calm.track(frame)
        assert all(torch.equal(masks[number], expected[number]) for number in expected)
        if t == 0:
            calm.prompt([click(1, 45, 65)])
            disturbed.prompt([click(1, 45, 65)])
        if t == 3:
            disturbed.prompt([click(2, 210, 130)])
    assert disturbed.object_ids == (1, 2)
    assert sorted(masks) == [1, 2]


def test_backward_masks_reach_as_far_as_the_buffer(tiny: Any) -> None:
    tracker = started(tiny, buffer=3)
    frames = squares(6)
    tracker.track(frames[0])
    assert len(tracker.prompt([click(1, 45, 65)])[1]) == 0
    tracker.track(frames[1])
    assert len(tracker.prompt([click(2, 45, 65)])[1]) == 1
    for frame in frames[2:]:
        tracker.track(frame)
    here, before = tracker.prompt([click(3, 45, 65), click(4, 200, 130)])
    assert len(before) == 3  # of five earlier frames
    for masks in (here, *before):
        assert sorted(masks) == [3, 4]
        for mask in masks.values():
            assert (mask.shape, mask.dtype) == ((HEIGHT, WIDTH), torch.bool)
            assert not mask.is_inference(), 'autograd could not use the mask'
    assert tracker.prompt([]) == ({}, [])
    assert tracker.start_from_masks({}) == ({}, [])


def test_a_buffer_of_none_tracks_forward_only(tiny: Any) -> None:
    tracker = started(tiny, buffer=0)
    first, second = squares(2)
    tracker.track(first)
    tracker.track(second)
    here, before = tracker.prompt([click(1, 45, 65)])
    assert (sorted(here), before) == ([1], [])


def test_an_absent_object_is_empty_and_its_cohort_retires(tiny: Any) -> None:
    frames = squares(8)
    tracker = started(tiny, buffer=7, retire=3)
    for frame in frames[:4]:
        tracker.track(frame)
    seen = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    seen[40:90, 30:80] = True
    with_score_bias(tiny, -10.0)
    here, before = tracker.start_from_masks({1: seen})
    assert jaccard(here[1], seen) > 0.9, 'a given mask is believed whatever the score'
    assert len(before) == 3
    assert not any(masks[1].any() for masks in before)
    for frame in frames[4:7]:  # absent for 1, 2, 3 frames
        assert tracker.object_ids == (1,)
        assert not tracker.track(frame)[1].any()
    assert tracker.object_ids == ()
    assert tracker.track(frames[7]) == {}
    # Never seen at all, from the prompt frame on: the walk back ends after 3 frames too.
    here, before = tracker.prompt([click(2, 45, 65)])
    assert not here[2].any()
    assert len(before) == 2


def test_memory_is_flat_on_a_long_stream(tiny: Any) -> None:
    tracker = started(tiny, buffer=6)
    frames = squares(20)
    held_mb = []
    for t in range(120):
        tracker.track(frames[t % len(frames)])
        if t in (0, 9):
            tracker.prompt([click(t + 1, 45, 65), click(t + 2, 200, 130)])
        held_mb.append(tracker.memory_mb)
    assert len(tracker.object_ids) == 4, 'no object may retire here'
    assert 0 < held_mb[0] < held_mb[9] < held_mb[39]
    assert set(held_mb[39:]) == {held_mb[39]}
    # Image features: 7 frames x (16 x 24 x 24 + 32 x 12 x 12 + 128 x 6 x 6) floats.
    # Memories: 4 objects x (1 prompt + 3 recent) x 32 x 6 x 6, their positions once per cohort.
    # Pointers: 4 objects x (1 prompt + 15 recent) x 128.
    floats = 7 * (9216 + 4608 + 4608) + (4 * 4 + 2) * 1152 + 4 * 16 * 128
    assert held_mb[39] == pytest.approx(floats * 4 / 1e6)


def test_start_and_stop_forget_everything(tiny: Any) -> None:
    frames = squares(3)
    tracker = started(tiny, buffer=4)
    tracker.track(frames[0])
    first, _ = tracker.prompt([click(1, 45, 65)])
    second = tracker.track(frames[1])
    tracker.start((HEIGHT, WIDTH))
    assert (tracker.object_ids, tracker.memory_mb) == ((), 0)
    tracker.track(frames[0])
    again, before = tracker.prompt([click(1, 45, 65)])
    assert before == []
    assert torch.equal(again[1], first[1])
    assert torch.equal(tracker.track(frames[1])[1], second[1])
    tracker.stop()
    assert (tracker.object_ids, tracker.memory_mb) == ((), 0)
    with pytest.raises(ValueError, match='call start'):
        tracker.track(frames[2])


def test_wrong_use_is_refused_by_rule(tiny: Any) -> None:
    tracker = started(tiny)
    with pytest.raises(ValueError, match='call track'):
        tracker.prompt([click(1, 45, 65)])
    with pytest.raises(ValueError, match=r'\[192, 256, 3\].*\[256, 192, 3\]'):
        tracker.track(torch.zeros(WIDTH, HEIGHT, 3, dtype=torch.uint8))
    tracker.track(squares(1)[0])
    with pytest.raises(ValueError, match='frame of 256 x 192 px'):
        tracker.prompt([click(1, 10, 192)])
    with pytest.raises(ValueError, match='id of its own'):
        tracker.prompt([click(1, 10, 10), click(1, 20, 20)])
    with pytest.raises(ValueError, match='bool'):
        tracker.start_from_masks({1: torch.zeros(HEIGHT, WIDTH)})
    assert tracker.object_ids == ()
    tracker.prompt([click(1, 10, 10)])
    with pytest.raises(ValueError, match='id of its own'):
        tracker.prompt([click(1, 20, 20)])


@pytest.mark.parametrize('name', ['sam2/sam2_hiera_t', 'sam2.1/sam2.1_hiera_t'])
def test_the_yaml_files_of_the_sam2_package_build(name: str) -> None:
    model = build_sam2(SAM2_CONFIGS / f'{name}.yaml', None, 'cpu')
    assert (model.image_size, model.num_maskmem, model.training) == (1024, 7, False)


def test_a_predictors_yaml_builds_the_plain_model(tmp_path: Path) -> None:
    config = OmegaConf.load(TINY)
    config.model._target_ = 'sam2.sam2_video_predictor.SAM2VideoPredictor'
    config.model.fill_hole_area = 8
    config.model.non_overlap_masks_for_mem_enc = True
    OmegaConf.save(config, tmp_path / 'model.yaml')
    model = build_sam2(tmp_path / 'model.yaml', None, 'cpu')
    assert type(model).__name__ == 'SAM2Base'
    assert not model.non_overlap_masks_for_mem_enc


@pytest.mark.parametrize('target', [
    'os.mkdir',
    'sam2.modeling.sam2_base.torch.load',  # what a module imports is not what it defines
    'sam2.modeling.sam2_utils.get_clones',  # no network class
    'sam2.modeling.sam2_utils.nothing',
    'sam2.build_sam.build_sam2_video_predictor_hf',
    '${evil}',
])
@pytest.mark.parametrize('where', ['model', 'model.image_encoder.trunk', 'model.extra'])
def test_a_yaml_cannot_call_what_it_likes(where: str, target: str, tmp_path: Path) -> None:
    config = OmegaConf.load(TINY)
    config.evil = 'os.mkdir'
    if where == 'model.extra':
        config.model.extra = [{'_target_': target, '_args_': [str(tmp_path / 'called')]}]
    else:
        OmegaConf.update(config, f'{where}._target_', target)
        OmegaConf.update(
            config, f'{where}._args_', [str(tmp_path / 'called')], force_add=True)
    OmegaConf.save(config, tmp_path / 'model.yaml')
    with pytest.raises(ModelError, match=r'tracker\.config .*_target_'):
        build_sam2(tmp_path / 'model.yaml', None, 'cpu')
    assert not (tmp_path / 'called').exists()


@pytest.mark.parametrize(('text', 'says'), [
    ('model: [', 'cannot be read'),
    ('trainer: {}', 'must have a `model` node'),
    ('model: ${nowhere}', 'cannot be read'),
    ('model: {image_size: 192}', 'must describe a'),
    ('model: {_target_: sam2.modeling.sam2_base.SAM2Base, image_size: 192}', 'does not describe'),
    ('model: {_target_: sam2.modeling.sam2_base.SAM2Base, weights_path: w.pt}', 'weights_path'),
])
def test_an_unfit_yaml_is_refused_in_one_line(text: str, says: str, tmp_path: Path) -> None:
    config = tmp_path / 'model.yaml'
    config.write_text(text)
    with pytest.raises(ModelError, match=says) as caught:
        build_sam2(config, None, 'cpu')
    assert f'tracker.config {config}' in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_yaml_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'tracker\.config .*cannot be read'):
        build_sam2(tmp_path / 'none.yaml', None, 'cpu')


def test_the_tracker_loads_what_its_parameters_name(
    tiny: Any, tmp_path: Path,
) -> None:
    torch.save({'model': tiny.state_dict()}, tmp_path / 'tiny.pt')
    config = str(tmp_path / 'model_96.yaml')
    settings = TrackerSettings(
        config=config, checkpoint=str(tmp_path / 'tiny.pt'), backward_buffer_frames=1)
    frames = squares(3)
    loaded, expected = Sam2Tracker.load(settings, 'cpu'), started(tiny, buffer=1)
    loaded.start((HEIGHT, WIDTH))
    for frame in frames:
        loaded.track(frame)
        expected.track(frame)
    here, before = loaded.prompt([click(1, 45, 65)])
    assert torch.equal(here[1], expected.prompt([click(1, 45, 65)])[0][1])
    assert len(before) == 1
    with pytest.raises(ModelError, match='tracker.config and tracker.checkpoint'):
        Sam2Tracker.load(TrackerSettings(config=config), 'cpu')


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_tracks_as_the_cpu_does(tiny: Any) -> None:
    frames = squares(6)
    masks = {}
    for device in ('cpu', 'cuda'):
        tracker = started(tiny.to(device), buffer=4)
        for frame in frames[:4]:
            tracker.track(frame)
        _, before = tracker.prompt([click(1, 45, 65)])
        tracked = [tracker.track(frame.to(device)) for frame in frames[4:]]
        masks[device] = [frame_masks[1].cpu() for frame_masks in (*before, *tracked)]
    assert min(map(jaccard, masks['cpu'], masks['cuda'])) > 0.98


def test_the_embedded_model_follows_the_road() -> None:
    frames = list(stream(2000, 8))
    road = [torch.from_numpy(frame.semantic == NAMES.index('road')) for frame in frames]
    tracker = Sam2Tracker.load(TrackerSettings(backward_buffer_frames=3), 'cpu')
    tracker.start((HEIGHT, WIDTH))
    for frame in frames[:4]:
        tracker.track(torch.from_numpy(frame.rgb))
    here, before = tracker.start_from_masks({1: road[3]})
    masks = [here[1], *(earlier[1] for earlier in before)]
    masks += [tracker.track(torch.from_numpy(frame.rgb))[1] for frame in frames[4:]]
    for mask, truth in zip(masks, [*road[3::-1], *road[4:]], strict=True):
        assert jaccard(mask, truth) > 0.6
