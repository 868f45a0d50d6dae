"""Classes that an experiment names by their dotted paths, such as `my_package.MyClass`."""

import importlib

from framework.errors import UserError


def imported_class(what: str, path: str, base: type) -> type:
    """Imports the class at a dotted path, which must be a subclass of `base`; messages call it `what`.

    Raises:
        UserError: There is no such class, or it lacks what `base` declares.
    """
    module, _, name = path.rpartition(".")
    if not module:
        raise UserError(f"{what} {path!r} is not the dotted path of a class, such as my_package.MyClass")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{what} {path!r} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UserError(f"{what} {path!r} is not a subclass of {base.__module__}.{base.__qualname__}")
    missing = [name for name in base.__annotations__ if not hasattr(found, name)]
    if lacking := [*missing, *sorted(getattr(found, "__abstractmethods__", ()))]:
        raise UserError(f"{what} {path!r} lacks {', '.join(lacking)}")
    return found
