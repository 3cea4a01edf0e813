"""Registries of images, read over HTTP."""

from lockage.adapters.image_registry.discovery import discover_credentials, discover_registries
from lockage.adapters.image_registry.registry import RegistryImages

__all__ = ["RegistryImages", "discover_credentials", "discover_registries"]
