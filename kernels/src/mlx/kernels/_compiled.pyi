from collections import OrderedDict
from collections.abc import Callable
from typing import Any

def compiling(on: bool | None = None) -> bool: ...

class CompiledFunction:
    def __init__(
        self,
        compiled: Callable[[tuple[Any, ...], dict[str, Any]], Any],
        recordings: OrderedDict[Any, Any],
        inputs: Any,
    ) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __get__(self, instance: Any, owner: Any) -> Any: ...
