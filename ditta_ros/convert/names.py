"""The classes of the data sets that SegFormers are published for, and of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ditta_ros.errors import ModelError, one_line

# In the order of their indices: VSPW and ADE20K without the raw value 0, Cityscapes by train id.
_DATASETS = {
    'vspw': """
        wall, ceiling, door, stair, ladder, escalator, Playground_slide, handrail_or_fence,
        window, rail, goal, pillar, pole, floor, ground, grass, sand, athletic_field, road,
        path, crosswalk, building, house, bridge, tower, windmill, well_or_well_lid,
        other_construction, sky, mountain, stone, wood, ice, snowfield, grandstand, sea, river,
        lake, waterfall, water, billboard_or_Bulletin_Board, sculpture, pipeline, flag,
        parasol_or_umbrella, cushion_or_carpet, tent, roadblock, car, bus, truck, bicycle,
        motorcycle, wheeled_machine, ship_or_boat, raft, airplane, tyre, traffic_light, lamp,
        person, cat, dog, horse, cattle, other_animal, tree, flower, other_plant, toy, ball_net,
        backboard, skateboard, bat, ball, cupboard_or_showcase_or_storage_rack, box,
        traveling_case_or_trolley_case, basket, bag_or_package, trash_can, cage, plate,
        tub_or_bowl_or_pot, bottle_or_cup, barrel, fishbowl, bed, pillow, table_or_desk,
        chair_or_seat, bench, sofa, shelf, bathtub, gun, commode, roaster, other_machine,
        refrigerator, washing_machine, Microwave_oven, fan, curtain, textiles, clothes,
        painting_or_poster, mirror, flower_pot_or_vase, clock, book, tool, blackboard, tissue,
        screen_or_television, computer, printer, Mobile_phone, keyboard,
        other_electronic_product, fruit, food, instrument, train
    """,
    'ade20k': """
        wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet,
        sidewalk, person, earth, door, table, mountain, plant, curtain, chair, car, water,
        painting, sofa, shelf, house, sea, mirror, rug, field, armchair, seat, fence, desk,
        rock, wardrobe, lamp, bathtub, railing, cushion, base, box, column, signboard, chest of
        drawers, counter, sand, sink, skyscraper, fireplace, refrigerator, grandstand, path,
        stairs, runway, case, pool table, pillow, screen door, stairway, river, bridge,
        bookcase, blind, coffee table, toilet, flower, book, hill, bench, countertop, stove,
        palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel, bus,
        towel, light, truck, tower, chandelier, awning, streetlight, booth, television receiver,
        airplane, dirt track, apparel, pole, land, bannister, escalator, ottoman, bottle,
        buffet, poster, stage, van, ship, fountain, conveyer belt, canopy, washer, plaything,
        swimming pool, stool, barrel, basket, waterfall, tent, bag, minibike, cradle, oven,
        ball, food, step, tank, trade name, microwave, pot, animal, bicycle, lake, dishwasher,
        screen, blanket, sculpture, hood, sconce, vase, traffic light, tray, ashcan, fan, pier,
        crt screen, plate, monitor, bulletin board, shower, radiator, glass, clock, flag
    """,
    'cityscapes': """
        road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation,
        terrain, sky, person, rider, car, truck, bus, train, motorcycle, bicycle
    """,
}


class Classes(NamedTuple):
    """Class names in index order, and their RGB colours of 0..255; () where there are none."""

    names: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()


def datasets() -> dict[str, tuple[str, ...]]:
    """Return the class names of each data set."""
    return {dataset: tuple(' '.join(name.split()) for name in names.split(','))
            for dataset, names in _DATASETS.items()}


def read_classes(given: str) -> Classes:
    """Return the classes of a data set, or of a file: a name a line, or a list in yaml or JSON.

    A mapping is read as id2label, or as names with their colours where it has such.  Raises
    ModelError.
    """
    if given in _DATASETS:
        return Classes(datasets()[given])
    file = Path(given)
    try:
        text = file.read_text()
        listed = (yaml.safe_load(text) if file.suffix in ('.json', '.yaml', '.yml')
                  else text.splitlines())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(
            f'--names must be one of {", ".join(_DATASETS)} or a file, got {given!r} '
            f'({one_line(error)})') from error
    palette = as_palette(list(listed.values()), len(listed)) if isinstance(listed, dict) else ()
    names = list(listed) if palette else _in_order(listed)
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ModelError(
            f'--names {given} must have a class name for each index from 0, got '
            f'{type(listed).__name__} {str(listed)[:60]!r}: write one name a line')
    return Classes(tuple(name.strip() for name in names), palette)


def as_palette(colours: Any, count: int) -> tuple[tuple[int, int, int], ...]:
    """Return ``count`` RGB colours of 0..255; () for anything else."""
    palette = [tuple(colour) for colour in colours if isinstance(colour, (list, tuple))
               and len(colour) == 3 and all(value in range(256) for value in colour)
               ] if isinstance(colours, (list, tuple)) else []
    return tuple(palette) if len(palette) == count else ()


def _in_order(listed: Any) -> list[Any]:
    """Return the names of a list, or of a mapping by its indices from 0; [] for anything else."""
    if isinstance(listed, dict):
        by_index = {str(index): name for index, name in listed.items()}
        return [by_index.get(str(index)) for index in range(len(by_index))]
    return listed if isinstance(listed, list) else []
