from __future__ import annotations

from pathlib import Path

import pytest

from ditta_ros import settings
from ditta_ros.doctor.finding import note
from ditta_ros.doctor.params_file import ParamsFileError, read_params_file, settings_of, unread

CONFIG = Path(__file__).parents[2] / 'config' / 'ditta.yaml'


def read(folder: Path, text: str) -> dict:
    file = folder / 'params.yaml'
    file.write_text(text)
    return read_params_file(file)


def test_the_file_of_all_parameters() -> None:
    (given,) = read_params_file(CONFIG).values()
    assert settings_of(given) == settings.to_flat(settings.Settings())
    assert unread(given) == []


def test_each_camera_has_what_is_given_to_all_and_its_own(tmp_path: Path) -> None:
    assert read(tmp_path, """
/**: {ros__parameters: {tau: 0.7, warm_up: {amount: 5}}}
/front/ditta: {ros__parameters: {tau: 0.9, checkpoint.path: front.safetensors}}
left: {ditta: {ros__parameters: {segmenter: {model: m}}}}
/front/driver: {ros__parameters: {exposure: 3}}
""") == {
        '/front/ditta': {
            'tau': 0.9, 'warm_up.amount': 5, 'checkpoint.path': 'front.safetensors'},
        '/left/ditta': {'tau': 0.7, 'warm_up.amount': 5, 'segmenter.model': 'm'}}


def test_what_is_given_to_all_stands_alone_without_a_node(tmp_path: Path) -> None:
    assert read(tmp_path, '/**: {ros__parameters: {tau: 0.7}}') == {'/**': {'tau': 0.7}}
    text = '/**: {ros__parameters: {tau: 0.7}}\ndriver: {ros__parameters: {gain: 2}}'
    assert read(tmp_path, text) == {'/**': {'tau': 0.7}}


def test_parameters_of_the_node_and_of_rclpy_are_not_the_engines() -> None:
    assert settings_of({'tau': 0.7, 'groups': 'g.yaml', 'use_sim_time': True}) == {'tau': 0.7}


def test_a_value_of_the_nodes_own_that_it_would_refuse() -> None:
    with pytest.raises(settings.SettingError, match='image_transport must be one of raw, compr'):
        settings_of({'image_transport': 'theora'})


def test_names_that_the_node_does_not_know() -> None:
    given = {'tau': 0.7, 'warm_up.ammount': 5, 'use_sim_time': True, 'exposure': 3}
    assert unread(given, '/front/ditta ') == [
        note('/front/ditta parameters', "no parameter is called 'warm_up.ammount', it is ignored",
             'did you mean warm_up.amount?'),
        note('/front/ditta parameters', "no parameter is called 'exposure', it is ignored",
             'see config/ditta.yaml')]


def test_a_text_that_is_said_to_be_one_as_ros_takes_it(tmp_path: Path) -> None:
    text = 'ditta: {ros__parameters: {checkpoint.path: !!str 2026}}'
    assert read(tmp_path, text) == {'/ditta': {'checkpoint.path': '2026'}}


@pytest.mark.parametrize('text', ['&a [*a]', '[' * 100_000])
def test_what_ros_would_not_read_either_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ParamsFileError, match='cannot be read .it may'):
        read(tmp_path, f'ditta: {{ros__parameters: {{tau: {text}}}}}')


@pytest.mark.parametrize('text', ['', '[1, 2]', 'tau: 0.7', '/**: {tau: 0.7}', 'a: {b: 1'])
def test_what_is_no_parameter_file_is_told_in_a_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(ParamsFileError, match='config/ditta.yaml') as told:
        read(tmp_path, text)
    assert '\n' not in str(told.value) and 'params.yaml' in str(told.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ParamsFileError, match='cannot be read'):
        read_params_file(tmp_path / 'no.yaml')
