"""Models of the Hugging Face hub: their files, from the local cache or fetched into it.

Nothing of a model is run: its files are named here one by one, and no code is among them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import (
    HTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ditta_ros.errors import ModelError, one_line

# The better one first: safetensors cannot run code, and of the pickle only tensors are read.
SEGFORMER_WEIGHTS = ('model.safetensors', 'pytorch_model.bin')

_ID = re.compile(r'\w[\w.-]*/\w[\w.-]*')


class HubError(ModelError):
    """A file of the hub cannot be had; the message says why, and the remedy."""


class AbsentFileError(HubError):
    """The model has no such file, or offline: it is not in the cache."""


@dataclass(frozen=True)
class HubModel:
    """One model of the hub, and where its files are kept here."""

    name: str  # owner/repository
    revision: str = ''  # branch, tag or commit; empty: main
    cache_dir: str = ''  # empty: huggingface_hub's own
    offline: bool = True  # from the cache alone

    def file(self, filename: str) -> Path:
        """Return where ``filename`` lies, downloaded where it may be; raises HubError."""
        try:
            return Path(hf_hub_download(
                self.name, filename, revision=self.revision or None,
                cache_dir=self.cache_dir or None, local_files_only=self.offline))
        except RemoteEntryNotFoundError as error:
            raise AbsentFileError(f'{self} has no file {filename} on the hub') from error
        except LocalEntryNotFoundError as error:
            if self.offline:
                raise AbsentFileError(
                    f'{filename} of {self} is not in the cache {self._cache()}: run '
                    f'`{self.fetch_command()}` where there is a network') from error
            raise HubError(
                f'{filename} of {self} is not in the cache {self._cache()}, and the hub '
                f'{constants.ENDPOINT} cannot be reached: connect to it, or copy the cache from a '
                'machine that could') from error
        except RepositoryNotFoundError as error:
            raise HubError(
                f'the hub {constants.ENDPOINT} shows no model {self.name}: correct the name, or '
                'log in with `hf auth login` where it is private') from error
        except RevisionNotFoundError as error:
            raise HubError(
                f'{self.name} has no revision {self.revision!r}: correct it, or leave it '
                'out') from error
        # What is left of the network, the disk and a name that cannot be one.
        except (HTTPError, OSError, ValueError) as error:
            raise HubError(f'{filename} of {self} cannot be had: {one_line(error)}') from error

    def first_file(self, filenames: tuple[str, ...]) -> Path:
        """Return the first of ``filenames`` that the model has; raises HubError."""
        for filename in filenames[:-1]:
            try:
                return self.file(filename)
            except AbsentFileError:
                continue
        return self.file(filenames[-1])

    def fetch_command(self) -> str:
        """Return the shell command that puts the model into the cache."""
        folder = f' --cache-dir {self.cache_dir}' if self.cache_dir else ''
        return f'ros2 run ditta_ros fetch_models{folder} {self}'

    def __str__(self) -> str:
        """Return the model as ``fetch_models`` takes it."""
        return f'{self.name}@{self.revision}' if self.revision else self.name

    def _cache(self) -> str:
        return self.cache_dir or str(constants.HF_HUB_CACHE)


def is_hub_id(name: str) -> bool:
    """Whether ``name`` has the form owner/repository and is no path of this machine."""
    return bool(_ID.fullmatch(name)) and not Path(name).exists()


def segformer_files(model: HubModel) -> list[Path]:
    """Return configuration, image processor where there is one, and weights of a SegFormer.

    They lie in one directory.  Raises HubError.
    """
    files = [model.file('config.json')]
    with suppress(AbsentFileError):  # the normalisation is ImageNet's then
        files.append(model.file('preprocessor_config.json'))
    return [*files, model.first_file(SEGFORMER_WEIGHTS)]
