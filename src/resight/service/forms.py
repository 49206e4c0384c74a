"""Multipart forms, read in memory and never on disk, after the gate has let their sender in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_origin

from pydantic import BaseModel
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from resight.errors import UploadError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

__all__ = ["Part", "form_schema", "parse_form", "read_form"]

_MOST_PARTS = 200
_LONGEST_HEADER = 4096  # bytes of one part's headers

F = TypeVar("F", bound=BaseModel)


class Part(NamedTuple):
    """One part of a form.

    Attributes
    ----------
    name : str
    filename : str or None
        None for a value that is not a file.
    data : bytes
    """

    name: str
    filename: str | None
    data: bytes


def parse_form(content_type: str, body: bytes) -> list[Part]:
    """Split a ``multipart/form-data`` body into its parts.

    Parameters
    ----------
    content_type : str
        Request header that names the boundary.
    body : bytes

    Returns
    -------
    list of Part

    Raises
    ------
    UploadError
        If it is not such a form, ends too early, or has more than 200 parts.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise UploadError("the upload is not a form; send multipart/form-data with a boundary")
    collector = _Collector()
    try:
        parser = MultipartParser(boundary, collector.callbacks())
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise UploadError("the form is damaged; send it again as multipart/form-data") from error
    if not collector.ended:
        raise UploadError("the form ends too early; send all of it")
    return collector.parts


def read_form(kind: type[F], parts: list[Part]) -> F:
    """Turn the parts of a form into a model: files as bytes, everything else as text, repeated parts as a list.

    Raises
    ------
    UploadError
        If a part is unknown, repeated, a file instead of a value, or a value instead of a file.
    ValidationError
        If a value cannot be used.
    """
    values: dict[str, Any] = {}
    for part in parts:
        field = kind.model_fields.get(part.name)
        if field is None:
            raise UploadError(f"{part.name[:60]!r} is not a part of this form; expected {', '.join(kind.model_fields)}")
        several = get_origin(field.annotation) is list
        is_file = field.annotation in (bytes, list[bytes])
        if is_file != (part.filename is not None):
            raise UploadError(f"{part.name} is {'a value; send it as a file' if is_file else 'a file; send it as a value'}")
        try:
            value: Any = part.data if is_file else part.data.decode()
        except UnicodeDecodeError as error:
            raise UploadError(f"{part.name} is not text; send UTF-8") from error
        if several:
            values.setdefault(part.name, []).append(value)
        elif part.name in values:
            raise UploadError(f"{part.name} is there twice; send it once")
        else:
            values[part.name] = value
    return kind.model_validate(values)


def form_schema(kind: type[BaseModel]) -> dict[str, Any]:
    """Describe a form for OpenAPI."""
    schema = kind.model_json_schema()
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


class _Collector:
    """Collects parts as the parser finds them."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._field = self._value = b""
        self._data: list[bytes] = []

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._add_data,
            "on_part_end": self._finish,
            "on_header_field": self._add_field,
            "on_header_value": self._add_value,
            "on_header_end": self._finish_header,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) == _MOST_PARTS:
            raise UploadError(f"the form has more than {_MOST_PARTS} parts; send fewer")
        self._headers, self._data = [], []

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _finish_header(self) -> None:
        self._headers.append((self._field.lower(), self._value))
        if len(self._headers) > 16 or len(self._field) + len(self._value) > _LONGEST_HEADER:
            raise UploadError("a part of the form has too many headers; send Content-Disposition and Content-Type alone")
        self._field = self._value = b""

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _finish(self) -> None:
        disposition = dict(self._headers).get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        name, filename = options.get(b"name"), options.get(b"filename")
        if name is None:
            raise UploadError("a part of the form has no name; send Content-Disposition: form-data; name=...")
        self.parts.append(
            Part(
                name.decode("utf-8", "replace"),
                None if filename is None else filename.decode("utf-8", "replace"),
                b"".join(self._data),
            )
        )

    def _end(self) -> None:
        self.ended = True
