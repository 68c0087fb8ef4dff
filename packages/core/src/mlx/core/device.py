"""Devices: where ops run."""

from __future__ import annotations

import enum

from mlx import kernels
from mlx.kernels.hints import Any


class DeviceType(enum.Enum):
    """The kinds of devices.

    Example:
        >>> mx.cpu
        DeviceType.cpu
    """

    cpu = 0
    gpu = 1

    def __repr__(self) -> str:
        return f"DeviceType.{self.name}"

    __str__ = __repr__


cpu = DeviceType.cpu
gpu = DeviceType.gpu


class Device:
    """One device.

    Args:
        type: Its kind.
        index: Its number among those of its kind.

    Example:
        >>> mx.Device(mx.cpu)
        Device(cpu, 0)
    """

    __slots__ = ("index", "type")

    def __init__(self, type: DeviceType, index: int = 0) -> None:
        if not isinstance(type, DeviceType):
            raise TypeError(f"[Device] type is {type.__class__.__name__}, not a DeviceType.")
        if not isinstance(index, int):
            raise TypeError(f"[Device] index is {index.__class__.__name__}, not an integer.")
        self.type = type
        self.index = index

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DeviceType):
            return self.type is other and self.index == 0
        if isinstance(other, Device):
            return self.type is other.type and self.index == other.index
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __repr__(self) -> str:
        return f"Device({self.type.name}, {self.index})"


DeviceLike = Device | DeviceType


def kind_of(name: str, device: Any) -> int:
    """The kernel library's number of a device's kind.

    Raises:
        TypeError: If it is no device.
    """
    if isinstance(device, Device):
        device = device.type
    if not isinstance(device, DeviceType):
        raise TypeError(f"[{name}] {device.__class__.__name__} is no device or kind of device.")
    return device.value


def available_kind(name: str, device: Any) -> int:
    """As ``kind_of``, of a device that exists.

    Raises:
        ValueError: If there is no such device.
    """
    kind = kind_of(name, device)
    if not kernels.device_available(kind):
        raise ValueError(
            f"[{name}] There is no {DeviceType(kind).name} device; this build has no such backend."
        )
    return kind


def default_device() -> Device:
    """The device on which ops run that name none.

    Returns:
        The device.

    Example:
        >>> mx.default_device()
        Device(cpu, 0)
    """
    return Device(DeviceType(kernels.default_device()))


def set_default_device(device: DeviceLike) -> None:
    """Chooses the device on which ops run that name none.

    Args:
        device: A device, or a kind of device.

    Raises:
        ValueError: If there is no such device.

    Example:
        >>> mx.set_default_device(mx.cpu)
    """
    kernels.set_default_device(available_kind("set_default_device", device))


def is_available(device: DeviceLike) -> bool:
    """Whether a device can be used.

    Args:
        device: A device, or a kind of device.

    Returns:
        True if it exists.

    Example:
        >>> mx.is_available(mx.cpu)
        True
    """
    kind = kind_of("is_available", device)
    index = device.index if isinstance(device, Device) else 0
    return 0 <= index < 1 and bool(kernels.device_available(kind))


def device_count(device_type: DeviceType) -> int:
    """The number of devices of a kind.

    Args:
        device_type: The kind.

    Returns:
        Their number.

    Example:
        >>> mx.device_count(mx.cpu)
        1
    """
    return int(bool(kernels.device_available(kind_of("device_count", device_type))))


def device_info(d: DeviceLike | None = None) -> dict[str, Any]:
    """What is known of a device.

    Args:
        d: A device, or a kind of device; None is the default device.

    Returns:
        A dictionary with "architecture" and "device_name"; an empty one if there is no such device.

    Example:
        >>> sorted(mx.device_info(mx.cpu))
        ['architecture', 'device_name']
    """
    device = default_device() if d is None else d
    if kind_of("device_info", device) != DeviceType.cpu.value or not is_available(device):
        return {}
    import platform

    return {"architecture": platform.machine(), "device_name": _processor_name()}


def _processor_name() -> str:
    """The processor's name, as the operating system tells it."""
    import platform

    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
