"""Family ``python``: the user's own encoder, and families that other packages contribute."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, packages_distributions, version
from pathlib import Path
from typing import Any

from PIL.Image import Image

from clipeval.encoders.base import Encoder, Fingerprint, JointEncoder, Rows, as_rows
from clipeval.encoders.batching import batches, stack
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.spec import ModelSpec
from clipeval.errors import ClipevalError, EncoderError, SpecError, near

GROUP = "clipeval.encoders"


def load(spec: ModelSpec, options: LoadOptions) -> Encoder:
    """Call the user's factory.

    Parameters
    ----------
    spec : ModelSpec
        ``python:package.module:factory[?name=value&...]``; the options are passed to the factory as
        strings. The module is looked for as ``import`` does, then in the current folder.
    options : LoadOptions
        Only ``batch_size`` is used: the factory chooses device and dtype.

    Returns
    -------
    Encoder
        The factory's own, if it made an `Encoder`; otherwise its object, checked at each call.

    Raises
    ------
    SpecError
        The name, module, factory or an option is wrong; near matches are offered.
    EncoderError
        The import or the factory fails, or what it returns encodes no pictures or no texts.
    """
    module_name, colon, factory_name = spec.name.partition(":")
    if not colon or not module_name or not factory_name:
        raise SpecError(
            f"'{spec.name}' does not name a factory",
            where=str(spec),
            fix="write python:package.module:factory",
        )
    module = _import(module_name, where=str(spec))
    factory = _find(module, factory_name, where=str(spec))
    _check_options(factory, spec)
    try:
        made = factory(**spec.options)
    except ClipevalError:
        raise
    except (Exception, SystemExit) as error:
        raise EncoderError(f"the factory failed: {_told(error)}", where=str(spec)) from error
    if isinstance(made, type):
        raise EncoderError(
            f"the factory returned the class {made.__name__}, not an object of it",
            where=str(spec),
            fix=f"return {made.__name__}()",
        )
    if made is None:
        raise EncoderError(
            "the factory returned None", where=str(spec), fix="end it with a return of the encoder"
        )
    for method in ("encode_images", "encode_texts"):
        if not callable(getattr(made, method, None)):
            raise EncoderError(
                f"the factory returned a {type(made).__name__} without {method}()",
                where=str(spec),
                fix="return an object with encode_images(pictures) and encode_texts(texts)",
            )
    if isinstance(made, Encoder):
        made.name = str(spec)
        return made
    # the last bits of a row depend on the batch it was computed in, as for every family
    words = {"batch size": str(options.batch_size), **_words(spec.name, module, made)}
    return UserEncoder(made, name=str(spec), words=words, batch_size=options.batch_size)


class UserEncoder(JointEncoder):
    """An object of the user's, whose answers are checked.

    Parameters
    ----------
    inner : object
        Has ``encode_images`` and ``encode_texts``.
    name : str
        The model spec.
    words : mapping of str to str
        The fingerprint.
    batch_size : int
        How many inputs it gets at a time.
    """

    def __init__(self, inner: Any, *, name: str, words: Fingerprint, batch_size: int) -> None:
        self.name = name
        self._inner = inner
        self._fingerprint = words
        self._batch_size = batch_size
        # shown only where the user's object shows it: an attribute of the class would promise it for all
        for method in ("prepared_pixels", "kept_tokens", "network_words"):
            if callable(getattr(inner, method, None)):
                setattr(self, method, getattr(inner, method))

    @property
    def fingerprint(self) -> Fingerprint:
        """The user's own words, or the code's hash and the word ``unfingerprinted``."""
        return self._fingerprint

    def encode_images(self, pictures: Sequence[Image]) -> Rows:
        """Let the user's object encode pictures; float32 rows, shape ``(n, d)``.

        Raises
        ------
        EncoderError
            The object's own code fails, or gives not one finite row for each picture.
        """
        return self._checked(self._inner.encode_images, pictures, what="encode_images")

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Let the user's object encode texts; float32 rows, shape ``(n, d)``.

        Raises
        ------
        EncoderError
            The object's own code fails, or gives not one finite row for each text.
        """
        return self._checked(self._inner.encode_texts, texts, what="encode_texts")

    def _checked(self, method: Callable[[list[Any]], object], inputs: Sequence[Any], *, what: str) -> Rows:
        where = f"{self.name}, {what}"

        def run(batch: Sequence[Any]) -> Rows:
            try:
                values: Any = method(list(batch))
                if hasattr(values, "detach"):  # a torch tensor, perhaps on a GPU, perhaps with gradients
                    values = values.detach().cpu()
                    values = (values.float() if values.is_floating_point() else values).numpy()
            except ClipevalError:
                raise
            # a script that calls sys.exit() would end the job and the other models with it
            except (Exception, SystemExit) as error:
                raise EncoderError(
                    f"{self.name} failed in {what}: {_told(error)}",
                    fix="the encoder's own code raised this: call it by hand with the same inputs",
                ) from error
            try:
                return as_rows(values, expected=len(batch), where=where)
            except ClipevalError:
                raise
            except (TypeError, ValueError) as error:
                raise EncoderError(
                    f"a {type(values).__name__} is not a matrix of numbers: {error}",
                    where=where,
                    fix="return a numpy array of shape (n, d)",
                ) from error

        parts = [run(batch) for batch in batches(inputs, self._batch_size)]
        widths = {part.shape[1] for part in parts}
        if len(widths) > 1:
            raise EncoderError(f"batches gave rows of different widths: {sorted(widths)}", where=where)
        return stack(parts, width=0)


def entry_point_families() -> dict[str, EntryPoint]:
    """Find the families that installed packages contribute under the entry-point group ``clipeval.encoders``.

    Each entry point's name is the family; it must load to a function
    ``load(spec, options) -> Encoder``. Nothing is imported here.

    Returns
    -------
    dict of str to EntryPoint
        Family to entry point.

    Raises
    ------
    SpecError
        Two packages contribute the same family.

    Examples
    --------
    >>> isinstance(entry_point_families(), dict)
    True
    """
    families: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        other = families.get(point.name)
        if other is not None and other.value != point.value:
            raise SpecError(
                f"two packages contribute the encoder family '{point.name}'",
                where=f"{other.value} and {point.value}",
                fix="uninstall one of them",
            )
        families[point.name] = point
    return families


@contextmanager
def _current_folder_importable() -> Iterator[None]:
    """Let the console script import what lies in the current folder, as ``python -m`` does, but last."""
    here = str(Path.cwd())
    if here in sys.path or "" in sys.path:
        yield
        return
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _import(name: str, *, where: str) -> Any:
    with _current_folder_importable():
        importlib.invalidate_caches()
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            absent = error.name or name
            if name == absent or name.startswith(absent + "."):
                parent, _, last = absent.rpartition(".")
                fix = near(last, _siblings(parent)) if parent else "install it, or run from its folder"
                raise SpecError(f"there is no module '{absent}'", where=where, fix=fix) from None
            raise EncoderError(
                f"importing '{name}' failed: it needs '{absent}', which is not installed",
                where=where,
                fix=f"pip install {absent.split('.')[0]}",
            ) from error
        except (Exception, SystemExit) as error:
            raise EncoderError(f"importing '{name}' failed: {_told(error)}", where=where) from error


def _told(error: BaseException) -> str:
    """Give an exception's type and text, on one line as far as its text allows."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _siblings(package: str) -> list[str]:
    path = getattr(sys.modules.get(package), "__path__", None)
    return [module.name for module in pkgutil.iter_modules(path)] if path is not None else []


def _find(module: Any, name: str, *, where: str) -> Callable[..., Any]:
    value: Any = module
    for part in name.split("."):
        if not hasattr(value, part):
            known = [n for n in dir(value) if not n.startswith("_") and callable(getattr(value, n))]
            raise SpecError(f"'{module.__name__}' has no '{name}'", where=where, fix=near(part, known))
        value = getattr(value, part)
    if not callable(value):
        raise SpecError(
            f"'{name}' is a {type(value).__name__}, not a function",
            where=where,
            fix="name a function or class that makes the encoder",
        )
    return value  # type: ignore[no-any-return]


def _check_options(factory: Callable[..., Any], spec: ModelSpec) -> None:
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return  # some callables written in C tell nothing
    takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    if not takes_any:
        spec.only(signature.parameters)
    try:
        signature.bind(**spec.options)
    except TypeError as error:
        raise SpecError(
            f"the factory cannot be called: {error}", where=str(spec), fix="add ?name=value"
        ) from None


def _words(name: str, module: Any, made: Any) -> dict[str, str]:
    """Take the object's own fingerprint, or say that there is none and hash the code at least."""
    top = module.__name__.split(".")[0]
    words = {"family": "python", "model": name}
    source = str(getattr(module, "__file__", None) or "")
    # the map costs a third of a second, and code outside of site-packages belongs to no distribution
    installed = "site-packages" in source or "dist-packages" in source
    for distribution in packages_distributions().get(top, []) if installed else ():
        try:
            words[distribution] = version(distribution)
        except PackageNotFoundError:
            continue
    try:
        own = getattr(made, "fingerprint", None)
        own = own() if callable(own) else own
    except ClipevalError:
        raise
    except (Exception, SystemExit) as error:
        raise EncoderError(f"the fingerprint failed: {_told(error)}", where=name) from error
    if own is None:
        code = Path(source).read_bytes() if source and Path(source).is_file() else b""
        words["code"] = hashlib.sha256(code).hexdigest()
        words["weights"] = "unfingerprinted"
        return words
    if not isinstance(own, Mapping):
        raise EncoderError(
            f"the fingerprint is a {type(own).__name__}", where=name, fix="return a mapping of words to words"
        )
    return {**words, **{str(key): str(value) for key, value in own.items()}}
