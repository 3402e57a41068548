"""``ros2 run ditta_ros doctor``, ``python -m ditta_ros.doctor``: see ``--help``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from ditta_ros.doctor import environment, gpu, libraries, machine, middleware, network
from ditta_ros.doctor.finding import Finding, State, note, problem
from ditta_ros.doctor.models import models
from ditta_ros.doctor.params_file import ParamsFileError, read_params_file, unread
from ditta_ros.doctor.report import as_json, table

LISTEN_S = 3.0
PLAIN_WIDTH = 150  # of a table that no terminal shows


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at everything: 0 without a problem, 1 with one, 2 for options that do not work."""
    options = _parser().parse_args(arguments)
    console = Console()
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    try:
        nodes = read_params_file(options.params_file) if options.params_file else {'': {}}
        with Console(stderr=True).status('looking'):
            findings = examine(os.environ, nodes, options.listen_s)
    except ParamsFileError as error:
        sys.stderr.write(f'{error}\n')
        return 2
    except KeyboardInterrupt:
        sys.stderr.write('interrupted\n')
        return 130
    if options.json:
        sys.stdout.write(f'{as_json(findings)}\n')
    else:
        console.print(table(findings))
    return 1 if any(each.state is State.PROBLEM for each in findings) else 0


def examine(
    environ: Mapping[str, str], nodes: Mapping[str, Mapping[str, object]], listen_s: float,
) -> list[Finding]:
    """Return every finding; ``nodes`` are the parameters of each node by its name.

    ``listen_s`` 0: the network is not looked at.
    """
    rclpy = middleware.read_rclpy(environ)
    findings = [
        environment.python(), environment.distribution(environ),
        middleware.rclpy(rclpy, environ), middleware.rmw(rclpy, environ),
        environment.discovery(environ), middleware.fastdds_profile(rclpy, environ),
        *libraries.optional_packages(environ),
        libraries.libraries(), libraries.numpy_and_cv_bridge(environ)]
    build, driver = gpu.read_torch(), gpu.read_driver(environ)
    findings += [
        gpu.torch_and_driver(build, driver), gpu.gpu(build, driver), machine.processor(),
        machine.memory(), machine.shared_memory(), machine.udp_buffers(rclpy.rmw)]
    for name, given in nodes.items():
        where = f'{name} ' if len(nodes) > 1 else ''
        findings += [*unread(given, where), *models(given, where)]
    return findings + _network(environ, rclpy, listen_s)


def _network(
    environ: Mapping[str, str], rclpy: middleware.Rclpy, listen_s: float,
) -> list[Finding]:
    if not rclpy.rmw or listen_s == 0:
        why = 'rclpy cannot be used' if listen_s else '--listen-s is 0'
        return [note('network', f'not looked at, as {why}')]
    seen = network.survey(environ, listen_s)
    if isinstance(seen, str):
        return [problem('network', f'cannot be looked at: {seen}', 'ros2 doctor --report')]
    return [*network.cameras(seen), *network.readers(seen)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='doctor', description='Looks for what keeps the node from its work, and names the '
        'command that mends it. Exits with 1 where there is a problem.')
    parser.add_argument(
        '--params-file', type=Path, metavar='FILE',
        help="the node's parameter file, for what it names: parameters and models; without: the "
        'embedded models')
    parser.add_argument(
        '--listen-s', type=float, default=LISTEN_S, metavar='S',
        help='how long to listen to the cameras; 0: not to look at the network; default: '
        '%(default)s')
    parser.add_argument('--json', action='store_true', help='the findings as JSON')
    return parser


if __name__ == '__main__':
    sys.exit(main())
