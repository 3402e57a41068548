"""No code comes out of a file: what could run it is not in the package, however it is called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'ditta_ros'
MODULES = {'pickle', 'cPickle', 'dill', 'cloudpickle', 'joblib', 'marshal', 'shelve'}
# The name of an error is no harm.
FROM_PICKLE = {'UnpicklingError'}
CALLS = {
    'eval', 'exec', 'compile', 'os.system', 'os.popen', 'pickle.load', 'pickle.loads',
    'pickle.Unpickler', 'yaml.unsafe_load', 'yaml.unsafe_load_all', 'yaml.full_load',
    'yaml.full_load_all', 'torch.hub.load', 'torch.jit.load'}
LOADERS = {'yaml.SafeLoader', 'yaml.CSafeLoader'}


def faults(tree: ast.AST) -> Iterator[str]:
    """Yield what a module must not have, in words."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f'import {alias.name}' for alias in node.names
                        if alias.name.partition('.')[0] in MODULES - {'pickle'})
        elif isinstance(node, ast.ImportFrom) and (node.module or '').partition('.')[0] in MODULES:
            yield from (f'from {node.module} import {alias.name}' for alias in node.names
                        if alias.name not in FROM_PICKLE)
        elif isinstance(node, ast.Call):
            yield from call_faults(node)


def call_faults(node: ast.Call) -> Iterator[str]:
    name, given = ast.unparse(node.func), {each.arg: each.value for each in node.keywords}
    if name in CALLS:
        yield name
    if name == 'torch.load' and not is_constant(given.get('weights_only'), True):
        yield 'torch.load without weights_only=True'
    if name in ('yaml.load', 'yaml.load_all'):
        yield f'{name}, which is yaml.safe_load where it is safe'
    if name in ('yaml.parse', 'yaml.compose') and not {
            ast.unparse(each) for each in (*node.args[1:], *given.values())} & LOADERS:
        yield f'{name} without yaml.SafeLoader'
    for keyword, value in given.items():
        if keyword in ('trust_remote_code', 'allow_pickle', 'shell') and not is_constant(
                value, False):
            yield f'{keyword} in {name}'


def is_constant(node: ast.AST | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def parsed() -> Iterator[tuple[str, ast.AST]]:
    for file in sorted(PACKAGE.rglob('*.py')):
        yield file.relative_to(PACKAGE).as_posix(), ast.parse(file.read_text(encoding='utf-8'))


def test_no_file_of_the_package_runs_what_it_reads() -> None:
    assert {name: found for name, tree in parsed() if (found := list(faults(tree)))} == {}


def test_one_file_makes_objects_of_a_configuration() -> None:
    """Hydra calls what a configuration names; the one that reads it checks the names first."""
    using = {name for name, tree in parsed() for node in ast.walk(tree)
             if isinstance(node, ast.Call) and ast.unparse(node.func).endswith('instantiate')}
    assert using <= {'tracker.py', 'bench/tracker.py'}
    assert 'tracker.py' in using


@pytest.mark.parametrize('code', [
    'from pickle import loads', 'import dill', 'from cloudpickle import load', 'import marshal',
    'import pickle\npickle.load(file)', 'def late():\n    pickle.loads(data)',
    'torch.load(path)', 'torch.load(path, weights_only=False)', 'torch.load(path, None, None)',
    'torch.load(path, weights_only=careful)', 'yaml.load(text, yaml.Loader)',
    'yaml.load(text, Loader=yaml.SafeLoader)', 'yaml.unsafe_load(text)', 'yaml.compose(text)',
    'yaml.parse(text, yaml.Loader)', 'eval(text)', 'exec(text)', 'os.system(text)',
    'np.load(path, allow_pickle=True)', 'subprocess.run(text, shell=True)',
    'AutoModel.from_pretrained(name, trust_remote_code=True)',
    'AutoModel.from_pretrained(name, trust_remote_code=given)',
])
def test_every_way_to_run_it_is_seen(code: str) -> None:
    assert list(faults(ast.parse(code)))


@pytest.mark.parametrize('code', [
    'torch.load(path, map_location=device, weights_only=True)', 'yaml.safe_load(text)',
    'yaml.compose(text, yaml.SafeLoader)', 'yaml.parse(text, Loader=yaml.SafeLoader)',
    'network.eval()', 'torch.compile(network)', 'np.load(path)',
    'np.load(path, allow_pickle=False)',
    'from pickle import UnpicklingError', 'subprocess.run([text])', "re.compile('a')",
])
def test_what_is_harmless_is_left_alone(code: str) -> None:
    assert list(faults(ast.parse(code))) == []
