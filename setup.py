"""Package ditta_ros (ament_python): what it installs, and what it needs with the reason."""

from glob import glob

from setuptools import find_packages, setup

package_name = 'ditta_ros'

# Lower bounds are the oldest versions that the tests have passed with.
install_requires = [
    'apsw>=3.54',  # SQLite as rosbags uses it: the errors of a broken bag
    'huggingface-hub>=2.4',  # models of the hub; the errors of a broken configuration
    'hydra-core>=1.3.8',  # builds SAM 2 from its yaml
    'jinja2>=3.1.6',  # the page of an evaluation's report
    'matplotlib>=3.10',  # the demo's picture
    'numpy>=2.2',  # images at the doors: messages, files, metrics
    'omegaconf>=2.3.1',  # SAM 2's yaml
    'opencv-python-headless>=5.0',  # encodings, resizing, video files
    'pillow>=12.3',  # label images by their palette's numbers
    'psutil>=7.2',  # memory of the process, for diagnostics and bench
    'PyYAML>=6.0.3',  # groups of classes; the errors of a broken yaml
    'rich>=15.0',  # the demo's tables and progress
    'rosbags>=0.11.9',  # MCAP and ROS 1/2 bags without a ROS installation
    'safetensors>=0.8',  # weights that cannot run code when they are loaded
    'sam2>=1.1',  # the tracker; also installs a package called "training"
    'torch>=2.14',  # both networks and the adaptation
    'transformers>=5.20',  # SegFormer
]

# rclpy and the messages for a machine without a ROS 2 distribution: built from ROS 2 Kilted for
# CPython 3.10-3.14 on x86_64 Linux (glibc >= 2.28).  A sourced distribution has its own.
ros = [
    'ros-kilted-diagnostic-msgs>=5.5.1',
    'ros-kilted-lifecycle-msgs>=2.3.0',
    'ros-kilted-rcl-interfaces>=2.3.0',
    'ros-kilted-rclpy>=9.1.2',
    'ros-kilted-rmw-fastrtps-cpp>=9.3.3',  # rclpy loads it at run time: Fast DDS
    'ros-kilted-sensor-msgs>=5.5.1',
    'ros-kilted-std-msgs>=5.5.1',
    'ros-kilted-std-srvs>=5.5.1',
]

# For ``ros2 run ditta_ros export`` alone.
export = [
    'onnx>=1.23',  # torch's exporter writes with it
    'onnxruntime>=1.23.2',  # what was exported is compared with torch
    'onnxscript>=0.7.2',  # torch's exporter translates with it
]

# For ``ros2 run ditta_ros evaluate --engine ray`` alone.
ray = [
    'ray>=2.60',  # jobs on several machines
]

# An extra, not tests_require: with that colcon test finds no pytest and runs nothing.
test = [
    'colcon-common-extensions>=0.3.0',  # the package builds and tests as ROS users do it
    'hypothesis>=6.168.5',  # inputs that nobody thought of
    'mypy>=2.4',
    'pytest>=8.3,<8.4',  # launch_testing, where it is installed, breaks with pytest 9
    'pytest-timeout>=2.4',  # a test that waits for DDS for ever fails instead
    'pytest-xdist>=3.8',  # what needs no DDS is tested on all cores at once
    'ruff>=0.17',
    'types-PyYAML>=6.0.12',
    'types-psutil>=7.2',
]

setup(
    name=package_name,
    version='0.1.0',
    description='Semantic segmentation of camera streams that adapts itself while it runs (DiTTA)',
    license='Apache-2.0',
    maintainer='ditta_ros maintainers',
    maintainer_email='maintainers@ditta-ros.example',
    python_requires='>=3.10',
    packages=find_packages(exclude=['test', 'test.*']),
    package_data={
        f'{package_name}.demo': [
            f'weights/**/*.{suffix}' for suffix in ('safetensors', 'yaml', 'json', 'md')
        ],
        f'{package_name}.evaluation.report': ['*.j2'],
    },
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
        (f'share/{package_name}/launch', sorted(glob('launch/*.py'))),
        (f'share/{package_name}/config', sorted(glob('config/*'))),
    ],
    zip_safe=False,
    install_requires=install_requires,
    extras_require={'export': export, 'ray': ray, 'ros': ros, 'test': test},
    entry_points={
        'console_scripts': [
            'bench = ditta_ros.bench.__main__:main',
            'convert = ditta_ros.convert.__main__:main',
            'demo = ditta_ros.demo.__main__:main',
            'ditta_node = ditta_ros.ros.node:main',
            'doctor = ditta_ros.doctor.__main__:main',
            'evaluate = ditta_ros.evaluation.__main__:main',
            'export = ditta_ros.export:main',
            'fetch_models = ditta_ros.fetch_models:main',
            'make_bag = ditta_ros.evaluation.make_bag:main',
        ],
    },
)
